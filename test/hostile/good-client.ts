/**
 * The good client: `node good-client.ts`, in a process of its own. In each window that its parent
 * asks for it enqueues a job every 10 ms, takes it and settles it. Beside that it holds a few leases
 * all the time and renews them.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseToken } from '../../core/protocol/index.ts';
import { jobOf, Peer, randomId, type Where } from './peer.ts';

export interface Window {
  readonly unix: Where;
  readonly seconds: number;
}

/** What it saw in a window; all but the times must be 0. */
export interface Seen {
  /** From the enqueue to the answer of the settle, one for each job. */
  readonly latenciesMs: number[];
  /** Settles and renewals that were refused. */
  readonly leasesLost: number;
  readonly deliveredAgain: number;
  /** Jobs that were not over when it gave up waiting, and requests that failed otherwise. */
  readonly unserved: number;
}

const everyMs = 10;
const held = 10;
const renewEveryMs = 1_000;
/** What is not settled so long after the end of a window counts as not served. */
const patienceMs = 60_000;

class GoodClient {
  readonly #peer: Peer;
  readonly #begunAtMs = new Map<string, number>();
  readonly #taken = new Set<string>();
  readonly #leases: LeaseToken[] = [];
  #seen = fresh();

  private constructor(peer: Peer) {
    this.#peer = peer;
  }

  static async open(unix: Where): Promise<GoodClient> {
    const client = new GoodClient(await Peer.open(unix));
    await client.#begin();
    return client;
  }

  async window(seconds: number): Promise<Seen> {
    this.#seen = fresh();
    const endMs = performance.now() + seconds * 1000;
    // Begun on time, also when earlier ones are late: a client that waits would hide a stall.
    for (let dueMs = performance.now(); dueMs < endMs; dueMs += everyMs) {
      await sleep(Math.max(0, dueMs - performance.now()));
      this.#enqueue();
    }
    const giveUpMs = performance.now() + patienceMs;
    while (this.#begunAtMs.size > 0 && !this.#peer.isClosed() && performance.now() < giveUpMs) {
      await sleep(5);
    }
    const nowMs = performance.now();
    const late = [...this.#begunAtMs.values()].map((begunAtMs) => nowMs - begunAtMs);
    this.#begunAtMs.clear();
    this.#seen.latenciesMs.push(...late);
    this.#seen.unserved += late.length;
    return this.#seen;
  }

  async #begin(): Promise<void> {
    const peer = this.#peer;
    peer.onDelivery = ({ token }) => {
      if (this.#taken.has(token.id)) this.#seen.deliveredAgain++;
      this.#taken.add(token.id);
      if (this.#begunAtMs.has(token.id)) this.#try(this.#settle(token));
      else this.#leases.push(token);
    };
    await peer.enqueue(Array.from({ length: held }, () => jobOf('good-held')));
    await peer.ask('Subscribe', { queues: ['good', 'good-held'], credit: 1_000 });
    while (this.#leases.length < held) await sleep(1);
    setInterval(() => this.#try(this.#renew()), renewEveryMs).unref();
  }

  #enqueue(): void {
    const id = randomId();
    this.#begunAtMs.set(id, performance.now());
    this.#try(this.#peer.enqueue([jobOf('good', { id })]));
  }

  async #settle(token: LeaseToken): Promise<void> {
    const code = await this.#peer.ack(token);
    if (code !== 0) this.#seen.leasesLost++;
    const begunAtMs = this.#begunAtMs.get(token.id);
    if (begunAtMs !== undefined) this.#seen.latenciesMs.push(performance.now() - begunAtMs);
    this.#begunAtMs.delete(token.id);
  }

  async #renew(): Promise<void> {
    const { items } = await this.#peer.ask('Extend', { tokens: this.#leases });
    this.#seen.leasesLost += items.filter(({ code }) => code !== 0).length;
  }

  /** What fails is counted: nobody waits for it. */
  #try(work: Promise<void>): void {
    work.catch(() => this.#seen.unserved++);
  }
}

function fresh(): { -readonly [Name in keyof Seen]: Seen[Name] } {
  return { latenciesMs: [], leasesLost: 0, deliveredAgain: 0, unserved: 0 };
}

let client: Promise<GoodClient> | undefined;

process.on('message', ({ unix, seconds }: Window) => {
  client ??= GoodClient.open(unix);
  client
    .then((one) => one.window(seconds))
    .then(
      (seen) => process.send?.(seen),
      (error: unknown) => {
        process.stderr.write(`the good client failed: ${String(error)}\n`);
        process.exit(1);
      },
    );
});
process.once('disconnect', () => process.exit(0));
process.send?.('ready');
