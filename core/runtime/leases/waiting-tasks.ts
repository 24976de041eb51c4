/** Tasks that wait for room, by agent: what is asked for each job costs the same however many wait. */

import type { ThreadAgent } from '../pool/thread-messages.ts';
import type { Task } from './task.ts';

export class WaitingTasks {
  /** In order of delivery; none is empty. */
  readonly #byAgent = new Map<ThreadAgent, Set<Task>>();

  add(task: Task): void {
    const own = this.#byAgent.get(task.agent);
    if (own === undefined) this.#byAgent.set(task.agent, new Set([task]));
    else own.add(task);
  }

  delete(task: Task): void {
    const own = this.#byAgent.get(task.agent);
    own?.delete(task);
    if (own?.size === 0) this.#byAgent.delete(task.agent);
  }

  /** The task that was delivered first, of the agents that have room; null when there is none. */
  next(hasRoom: (agent: ThreadAgent) => boolean): Task | null {
    let first: Task | null = null;
    for (const [agent, own] of this.#byAgent) {
      const [head] = own;
      const isEarlier = head !== undefined && head.takenAtMs < (first?.takenAtMs ?? Infinity);
      if (isEarlier && hasRoom(agent)) first = head;
    }
    return first;
  }

  /** When time alone may bring room to one of the agents; infinite when it will not. */
  opensInMs(opensIn: (agent: ThreadAgent) => number | null): number {
    return Math.min(...[...this.#byAgent.keys()].map((agent) => opensIn(agent) ?? Infinity));
  }
}
