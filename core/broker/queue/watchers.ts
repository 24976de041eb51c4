/** Connections that hear of every change of a job: changes of one event leave as few frames. */

import type { ConnectionId } from '../events.ts';
import type { Core } from './core.ts';
import { outgoing } from './effects.ts';
import {
  fetchInfos,
  inFrames,
  infosPerFrameMax,
  type JobPicture,
  pictureOf,
} from './job-details.ts';
import type { JobEntry } from './job-entry.ts';

export class Watchers {
  /** The queues that each watches; an empty set means all. */
  readonly #queues: Map<ConnectionId, ReadonlySet<string>> = new Map();
  /** Changes of the present event, by watcher. */
  readonly #changes: Map<ConnectionId, JobPicture[]> = new Map();

  get count(): number {
    return this.#queues.size;
  }

  add(connection: ConnectionId, queues: readonly string[]): void {
    this.#queues.set(connection, new Set(queues));
  }

  remove(connection: ConnectionId): void {
    this.#queues.delete(connection);
    this.#changes.delete(connection);
  }

  /** A job changed: whoever watches its queue hears of it as it is now. */
  note(core: Core, job: JobEntry): void {
    if (this.#queues.size === 0) return;
    const { name } = core.state.jobs.queueOf(job);
    const picture = pictureOf(core.state.jobs, job);
    for (const [connection, queues] of this.#queues) {
      if (queues.size > 0 && !queues.has(name)) continue;
      const changes = this.#changes.get(connection) ?? [];
      this.#changes.set(connection, changes);
      changes.push(picture);
      if (changes.length === infosPerFrameMax) this.#send(core, connection, changes);
    }
  }

  /** Sends what was noted. */
  flush(core: Core): void {
    for (const [connection, changes] of this.#changes) this.#send(core, connection, changes);
  }

  #send(core: Core, connection: ConnectionId, changes: JobPicture[]): void {
    this.#changes.delete(connection);
    core.read(
      fetchInfos(changes, (infos) =>
        [...inFrames(infos)].map((jobs) => ({
          type: 'send' as const,
          outgoing: outgoing(connection, 0, 'JobEvents', { jobs }),
        })),
      ),
    );
  }
}
