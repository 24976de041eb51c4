/**
 * The subscriptions, and how many leases each may hold. Queues whose agents are limited have a
 * subscription of their own, so that a full agent stops its own deliveries and no others, and jobs
 * wait in the broker, where they can be seen, instead of leased here.
 */

import { type Consumer, type JobQueue, type LeasedJob, limits } from '../queue/index.ts';
import type { Gates } from './gates.ts';
import type { ThreadAgent } from './pool/thread-messages.ts';

export interface Group {
  readonly queues: readonly string[];
  readonly agents: readonly ThreadAgent[];
  readonly consumer: Consumer;
}

export interface GroupsOptions {
  readonly queue: JobQueue;
  readonly agents: readonly ThreadAgent[];
  readonly concurrency: number;
  readonly gates: Gates;
  /** Leases of a group's queues: all, and those whose work has not begun. */
  readonly load: (group: Group) => { readonly held: number; readonly waiting: number };
  readonly onDelivery: (leased: LeasedJob, group: Group) => void;
  readonly onLeaseLost: (leased: LeasedJob, code: string) => void;
}

export class Groups {
  readonly all: Group[] = [];
  readonly #options: GroupsOptions;
  #isOpen = true;
  #isScheduled = false;
  #wake: NodeJS.Timeout | undefined;

  private constructor(options: GroupsOptions) {
    this.#options = options;
  }

  /** Subscribes to the queues of all agents. */
  static async open(options: GroupsOptions): Promise<Groups> {
    const groups = new Groups(options);
    try {
      const parts = partition(options.agents);
      await Promise.all(parts.map((agents) => groups.#subscribe(agents)));
    } catch (error) {
      await groups.close();
      throw error;
    }
    groups.adjust();
    return groups;
  }

  /** Recomputes the credits soon; cheap to call after every change. */
  adjust(): void {
    if (this.#isScheduled || !this.#isOpen) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (!this.#isOpen) return;
      for (const group of this.all) group.consumer.setCredit(this.#creditOf(group));
      this.#wakeInTime();
    });
  }

  /** Takes nothing new from now on. */
  shut(): void {
    this.#isOpen = false;
    clearTimeout(this.#wake);
    for (const group of this.all) group.consumer.setCredit(0);
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    clearTimeout(this.#wake);
    await Promise.all(this.all.map((group) => group.consumer.close()));
  }

  /** Where time alone opens a gate, nothing else would bring us back here. */
  #wakeInTime(): void {
    clearTimeout(this.#wake);
    const { agents, gates } = this.#options;
    const waits = agents.flatMap((agent) => gates.opensInMs(agent) ?? []);
    if (waits.length > 0) this.#wake = setTimeout(() => this.adjust(), Math.min(...waits));
  }

  #creditOf(group: Group): number {
    const { load, concurrency, gates } = this.#options;
    const heldByAll = this.all.reduce((sum, one) => sum + load(one).held, 0);
    const free = Math.max(0, concurrency - heldByAll);
    const { held, waiting } = load(group);
    const room = group.agents.reduce((sum, agent) => sum + gates.room(agent), 0);
    return Math.min(held + Math.min(free, Math.max(0, room - waiting)), limits.batchItemsMax);
  }

  async #subscribe(agents: readonly ThreadAgent[]): Promise<void> {
    const queues = [...new Set(agents.map(({ agent }) => agent.queue))];
    const { promise: ready, resolve } = Promise.withResolvers<Group>();
    const consumer = await this.#options.queue.consume({
      queues,
      credit: 0,
      // Through the promise: an engine may deliver before `consume` has returned.
      onDelivery: (leased) => void ready.then((group) => this.#options.onDelivery(leased, group)),
      onLeaseLost: (leased, code) => this.#options.onLeaseLost(leased, code),
    });
    const group = { queues, agents, consumer };
    this.all.push(group);
    resolve(group);
  }
}

/** One part for all queues without limited agents, one for each queue that has them. */
function partition(agents: readonly ThreadAgent[]): ThreadAgent[][] {
  const limited = new Set(
    agents
      .filter(
        ({ agent: { limits: own } }) => own.concurrency !== null || own.requestsPerMinute !== null,
      )
      .map(({ agent }) => agent.queue),
  );
  const parts = Map.groupBy(agents, ({ agent: { queue } }) => (limited.has(queue) ? queue : ''));
  return [...parts.values()];
}
