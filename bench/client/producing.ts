/** The loop that enqueues: in calls as fast as their answers come, or at a rate. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, JobData } from '../server/peer.ts';
import type { ProduceOrder } from './orders.ts';

/** Of all orders together: no two jobs of a process are the same. */
let made = 0;

export class Producing {
  /** Resolves with the number of acknowledged jobs. */
  readonly ended: Promise<number>;
  readonly #clients: readonly Client[];
  readonly #order: ProduceOrder;
  readonly #onDone: (jobs: number) => void;
  #isStopped = false;
  #made = 0;
  #done = 0;
  #taken = 0;

  constructor(clients: readonly Client[], order: ProduceOrder, onDone: (jobs: number) => void) {
    this.#clients = clients;
    this.#order = order;
    this.#onDone = onDone;
    const { perSecond } = order;
    this.ended = perSecond === undefined ? this.#flatOut() : this.#atRate(perSecond);
  }

  stop(): void {
    this.#isStopped = true;
  }

  taken(count: number): void {
    this.#taken = count;
  }

  async #flatOut(): Promise<number> {
    const { calls } = this.#order.shape;
    await Promise.all(Array.from({ length: calls }, (_, lane) => this.#lane(lane)));
    return this.#done;
  }

  async #lane(lane: number): Promise<void> {
    const { jobsMax = Number.POSITIVE_INFINITY, aheadMax, shape } = this.#order;
    while (!this.#isStopped && this.#made < jobsMax) {
      if (aheadMax !== undefined && this.#made - this.#taken >= aheadMax) await sleep(1);
      else await this.#call(lane, Math.min(shape.batch, jobsMax - this.#made));
    }
  }

  /** Calls are made when they are due, whether those before were answered or not. */
  async #atRate(perSecond: number): Promise<number> {
    const calls: Promise<void>[] = [];
    const startMs = performance.now();
    while (!this.#isStopped) {
      const due = ((performance.now() - startMs) * perSecond) / 1_000;
      while (this.#made < due) calls.push(this.#call(this.#made, 1));
      await sleep(1);
    }
    await Promise.all(calls);
    return this.#done;
  }

  async #call(lane: number, count: number): Promise<void> {
    const { queue, bytes, perSecond } = this.#order;
    const client = this.#clients[lane % this.#clients.length];
    this.#made += count;
    made += count;
    const from = made - count;
    const atMicros = perSecond === undefined ? 0 : nowMicros();
    const jobs = Array.from({ length: count }, (_, index) =>
      dataOf(`${queue}-${process.pid}-${from + index}`, atMicros, bytes),
    );
    await client?.enqueue(queue, jobs);
    this.#done += count;
    this.#onDone(count);
  }
}

/** `bytes` of JSON, and never twice the same within a queue. */
function dataOf(name: string, atMicros: number, bytes: number): JobData {
  const emptyBytes = JSON.stringify({ name, atMicros, text: '' }).length;
  return { name, atMicros, text: 'x'.repeat(Math.max(0, bytes - emptyBytes)) };
}

/** Microseconds of a clock that all processes of the machine share. */
export function nowMicros(): number {
  return Math.round(Number(process.hrtime.bigint()) / 1_000);
}
