/** Runs the active bulk operations: all of them in turn, in small steps. */

import type { Now } from '../../events.ts';
import type { RecordOf } from '../records/records.ts';
import type { BrokerState } from '../state/broker-state.ts';
import type { BulkOperation } from '../state/bulks.ts';
import { BulkWalk, type StepBudget } from './bulk-walk.ts';
import type { Committing } from './effects.ts';

/** Jobs that all operations change between two events, and rows that they scan. */
const roundBudget: Readonly<StepBudget> = { jobs: 40, steps: 2_000 };
/** The least budget of one turn. */
const turnJobsMin = 4;
const turnScansMin = 200;

const recordOf = { purge: 'cancelled', retryDead: 'retried', signal: 'signalled' } as const;

export class BulkRunner {
  readonly #state: BrokerState;
  readonly #committing: Committing;
  /** By the operation's number; the next one first. */
  readonly #walks: Map<number, BulkWalk> = new Map();
  /** The budget that is left for the first steps of new operations before the next round. */
  #firstSteps: StepBudget = { ...roundBudget };

  constructor(state: BrokerState, committing: Committing) {
    this.#state = state;
    this.#committing = committing;
  }

  /** After replay: continues operations that a restart cut off. */
  resume(): void {
    for (const operation of this.#state.bulks.active()) this.#walk(operation, null);
  }

  /** How many of the session's operations are active. */
  countOf(session: string): number {
    let count = 0;
    for (const walk of this.#walks.values()) if (walk.session === session) count++;
    return count;
  }

  /** Begins an operation; a small one is done at once, so that no client has to ask again. */
  begin(
    what: Pick<RecordOf<'bulkStarted'>, 'action' | 'queue' | 'key'>,
    session: string | null,
    now: Now,
  ): BulkOperation {
    const { bulks, jobs } = this.#state;
    const bulk = bulks.newest + 1;
    const seqMax = jobs.seqs.highest;
    const start = { seqMax, touched: 0, nextSeq: 1, atMs: now.wallMs };
    this.#committing.commit({ kind: 'bulkStarted', bulk, ...what, ...start });
    const operation = bulks.get(bulk);
    if (operation === undefined) throw new Error(`bulk operation ${bulk} did not begin`);
    this.#step(this.#walk(operation, session), this.#firstSteps, now);
    return operation;
  }

  /** Gives each operation its turn, within the budget of one round; true when there is more to do. */
  round(now: Now): boolean {
    this.#firstSteps = { ...roundBudget };
    const left = { ...roundBudget };
    const share = Math.max(1, this.#walks.size);
    for (let turns = this.#walks.size; turns > 0 && left.jobs > 0 && left.steps > 0; turns--) {
      const [walk] = this.#walks.values();
      if (walk === undefined) break;
      const turn = {
        jobs: Math.min(left.jobs, Math.max(turnJobsMin, Math.floor(roundBudget.jobs / share))),
        steps: Math.min(left.steps, Math.max(turnScansMin, Math.floor(roundBudget.steps / share))),
      };
      const before = { ...turn };
      // An operation that had its turn goes behind all others.
      this.#walks.delete(walk.operation.bulk);
      this.#walks.set(walk.operation.bulk, walk);
      this.#step(walk, turn, now);
      left.jobs -= before.jobs - turn.jobs;
      left.steps -= before.steps - turn.steps;
    }
    return this.#walks.size > 0;
  }

  #walk(operation: BulkOperation, session: string | null): BulkWalk {
    const walk = new BulkWalk(this.#state.jobs, operation, session);
    this.#walks.set(operation.bulk, walk);
    return walk;
  }

  #step(walk: BulkWalk, budget: StepBudget, { wallMs: atMs }: Now): void {
    const { bulk, action, touched } = walk.operation;
    const jobs = walk.next(budget);
    const newest = jobs.at(-1);
    if (newest !== undefined) {
      const ids = jobs.map(({ id }) => id);
      const nextSeq = walk.nextSeqAfter(newest);
      this.#committing.commit({ kind: recordOf[action], ids, atMs });
      this.#committing.commit({
        kind: 'bulkStepped',
        bulk,
        touched: touched + ids.length,
        nextSeq,
      });
    }
    if (!walk.isDone) return;
    this.#walks.delete(bulk);
    this.#committing.commit({ kind: 'bulkEnded', bulk });
  }
}
