/**
 * The subscriptions, and how many leases each may hold. What may be stopped by itself, a limited agent
 * or a provider that is held, has a subscription of its own, so that it stops its own deliveries and
 * no others, and jobs wait in the broker, where they can be seen, instead of leased here.
 */

import { type Consumer, type JobQueue, type LeasedJob, limits } from '../../job-queue/index.ts';
import type { ThreadAgent } from '../pool/thread-messages.ts';
import type { ProviderHealth } from '../providers/provider-health.ts';
import type { Gates } from './gates.ts';
import type { GroupLoad } from './group-loads.ts';

export interface Group {
  readonly queues: readonly string[];
  /** Names of the agents that it serves. */
  readonly agents: readonly string[];
  readonly consumer: Consumer;
}

export interface GroupsOptions {
  readonly queue: JobQueue;
  /** By name, as they are now. */
  readonly agents: ReadonlyMap<string, ThreadAgent>;
  readonly concurrency: number;
  readonly gates: Gates;
  readonly health: Pick<ProviderHealth, 'isShut'>;
  /** Leases of a group's queues: all, and those whose work has not begun. */
  readonly load: (group: Group) => Readonly<GroupLoad>;
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
      const parts = partition([...options.agents.values()]);
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
    const waits = [...agents.values()].flatMap((agent) => gates.opensInMs(agent) ?? []);
    if (waits.length > 0) this.#wake = setTimeout(() => this.adjust(), Math.min(...waits));
  }

  #creditOf(group: Group): number {
    const { load, concurrency, gates, health } = this.#options;
    const agents = group.agents.flatMap((name) => this.#options.agents.get(name) ?? []);
    // Not even in the place of one that ends.
    if (agents.every((agent) => health.isShut(agent))) return 0;
    const heldByAll = this.all.reduce((sum, one) => sum + load(one).held, 0);
    const free = Math.max(0, concurrency - heldByAll);
    const { held, waiting, writing } = load(group);
    const room = agents.reduce((sum, agent) => sum + gates.room(agent), 0);
    // The broker counts leases: those that are settled, and only written yet, are none any more.
    const leased = held - writing;
    return Math.min(leased + Math.min(free, Math.max(0, room - waiting)), limits.batchItemsMax);
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
    const group = { queues, agents: agents.map(({ agent }) => agent.name), consumer };
    this.all.push(group);
    resolve(group);
  }
}

/**
 * One part for each queue that has limited agents, and of the others one for each provider and model,
 * so that one that is held stops no other's deliveries. Agents of one queue are in one part.
 */
function partition(agents: readonly ThreadAgent[]): ThreadAgent[][] {
  const byQueue = Map.groupBy(agents, ({ agent }) => agent.queue);
  const parts = Map.groupBy(byQueue, ([queue, own]) => {
    const isLimited = own.some(({ agent }) => {
      const { concurrency, requestsPerMinute, tokensPerMinute } = agent.limits;
      return (concurrency ?? requestsPerMinute ?? tokensPerMinute) !== null;
    });
    const served = [...new Set(own.map(({ provider, model }) => `${provider.name} ${model}`))];
    return isLimited || served.length > 1 ? `queue ${queue}` : `served by ${served.join('')}`;
  });
  return [...parts.values()].map((queues) => queues.flatMap(([, own]) => own));
}
