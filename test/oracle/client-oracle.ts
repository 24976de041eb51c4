/**
 * What clients of a real broker heard over all its lives, and every answer that contradicts another. It
 * knows nothing of the broker's inside: a job is accepted, ended or delivered because an answer said
 * so. What is promised is `Promises`, as in the simulation; here is what only time and content tell.
 */

import type { JobState, LeasedJob, Settled } from '../../core/job-queue/index.ts';
import { Promises } from './promises.ts';

/** States that no delivery follows. */
export const endStates: readonly JobState[] = ['done', 'dead', 'cancelled'];

/** What one cycle added, for the state file. */
export interface Heard {
  readonly accepted: string[];
  readonly ended: [id: string, state: JobState][];
  acked: number;
  redelivered: number;
}

export class ClientOracle {
  readonly accepted = new Set<string>();
  readonly ended = new Map<string, JobState>();
  /** On the local monotonic clock: no delivery before. Infinity while the job is parked. */
  readonly notBeforeMs = new Map<string, number>();
  readonly #promises = new Promises();
  /** Attempts that were charged by an answered settle. */
  readonly #charged = new Map<string, number>();
  /** Parent of each follow-up job, and the parents whose follow-up was seen: those are done. */
  readonly #parents = new Map<string, string>();
  readonly #followed = new Set<string>();
  /** Jobs whose delivery was heard after their cancellation, which another connection had answered. */
  readonly #crossed = new Set<string>();
  /** Jobs that die without anybody being told. */
  readonly #unheard = new Set<string>();
  heard: Heard = nothingHeard();

  get violations(): readonly string[] {
    return this.#promises.violations;
  }

  /** Accepted jobs whose end should still be told. */
  get backlog(): number {
    return this.accepted.size - this.ended.size - this.#unheard.size;
  }

  /** Starts the next cycle; returns what the one before added. */
  nextCycle(): Heard {
    const { heard } = this;
    this.heard = nothingHeard();
    return heard;
  }

  /** What an interrupted run had heard. */
  remember({ accepted, ended }: Pick<Heard, 'accepted' | 'ended'>): void {
    for (const id of accepted) this.accepted.add(id);
    for (const [id, state] of ended) this.ended.set(id, state);
  }

  wasAccepted(id: string): void {
    if (this.accepted.has(id)) return;
    this.#promises.accepted(id);
    this.accepted.add(id);
    this.heard.accepted.push(id);
  }

  /** The job can never be delivered. */
  endsUnheard(id: string): void {
    this.#unheard.add(id);
    this.notBeforeMs.set(id, Number.POSITIVE_INFINITY);
  }

  /** Nobody waits for the answer that tells of its end. */
  isOver(id: string): boolean {
    return this.ended.has(id) || this.#unheard.has(id);
  }

  hasFollowUp(parent: string, followUp: string): void {
    this.#parents.set(followUp, parent);
  }

  /** What is delivered is durable, whether its acceptance was answered or not. */
  wasDelivered({ job: { id }, attempt, token }: LeasedJob): void {
    if (this.wasDeliveredBefore(id)) this.heard.redelivered++;
    this.#promises.delivered(id, token);
    this.wasAccepted(id);
    this.#checkEnd(id);
    if (performance.now() < (this.notBeforeMs.get(id) ?? 0)) {
      this.violated(`${id} was delivered too early`);
    }
    if (attempt <= (this.#charged.get(id) ?? 0)) {
      this.violated(`${id} was delivered with attempt ${attempt}, which it had been charged`);
    }
    if (this.#followed.has(id)) {
      this.violated(`${id} was delivered after its follow-up job, which came with its ack`);
    }
    const parent = this.#parents.get(id);
    if (parent !== undefined) this.#followed.add(parent);
  }

  /**
   * A delivery that left before its job was cancelled may be heard after the answer to the cancel, which
   * comes over another connection; a second one may not, and no settle of it is taken (see `isIn`).
   */
  #checkEnd(id: string): void {
    const state = this.ended.get(id);
    if (state === undefined) return;
    const mayCross = state === 'cancelled' && !this.#crossed.has(id);
    if (mayCross) this.#crossed.add(id);
    else this.violated(`${id} was delivered after it was answered as ${state}`);
  }

  wasDeliveredBefore(id: string): boolean {
    return (this.#promises.jobs.get(id)?.newest ?? null) !== null;
  }

  /** The answer to a settle with this outcome, for a delivery that had this number of attempt. */
  wasSettled({ job: { id }, attempt, token }: LeasedJob, outcome: string, settled: Settled): void {
    if (!settled.ok) return;
    if (outcome === 'retry') this.#charged.set(id, attempt);
    if (outcome === 'ack') {
      this.#promises.acked(id, token);
      this.heard.acked++;
    }
    this.isIn(id, settled.state);
  }

  /** An answer named the state of a job. */
  isIn(id: string, state: JobState): void {
    const before = this.ended.get(id);
    if (before !== undefined && before !== state) {
      this.violated(`${id} was answered as ${before}, then as ${state}`);
    }
    if (before !== undefined || !endStates.includes(state)) return;
    this.ended.set(id, state);
    this.heard.ended.push([id, state]);
  }

  /** The journal answered with what stands: it is what it answered first. */
  journalStands(id: string, value: string): void {
    this.#promises.journaled(id, value);
  }

  violated(what: string): void {
    this.#promises.violate(what);
  }
}

function nothingHeard(): Heard {
  return { accepted: [], ended: [], acked: 0, redelivered: 0 };
}
