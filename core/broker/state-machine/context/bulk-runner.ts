/** Takes the bulk operations that are under way forward: all of them in turn, a little at a time. */

import type { Now } from '../../events.ts';
import type { BrokerState } from '../state/broker-state.ts';
import type { BulkOperation } from '../state/bulks.ts';
import { BulkWalk, type StepBudget } from './bulk-walk.ts';
import type { Committing } from './effects.ts';

/** Jobs that all operations change between two events, and places that they look at. */
const roundBudget: Readonly<StepBudget> = { jobs: 40, looks: 2_000 };
/** What an operation gets at least in its turn. */
const turnJobsMin = 4;
const turnScansMin = 200;

const recordOf = { purge: 'cancelled', retryDead: 'retried', signal: 'signalled' } as const;

export class BulkRunner {
  readonly #state: BrokerState;
  readonly #committing: Committing;
  /** By the operation's number; whose turn is next comes first. */
  readonly #walks: Map<number, BulkWalk> = new Map();
  /** What is left for the first steps of new operations before the next round. */
  #firstSteps: StepBudget = { ...roundBudget };

  constructor(state: BrokerState, committing: Committing) {
    this.#state = state;
    this.#committing = committing;
  }

  /** After replay: operations that a restart cut off go on. */
  resume(): void {
    for (const operation of this.#state.bulks.active()) this.#walk(operation, null);
  }

  /** How many of the session's operations are under way. */
  countOf(session: string): number {
    let count = 0;
    for (const walk of this.#walks.values()) if (walk.session === session) count++;
    return count;
  }

  /** An operation began; a small one is over at once, so that nobody has to ask again. */
  begin(operation: BulkOperation, session: string, now: Now): void {
    this.#step(this.#walk(operation, session), this.#firstSteps, now);
  }

  /** Gives each its turn, as far as one round goes; true when there is more to do. */
  round(now: Now): boolean {
    this.#firstSteps = { ...roundBudget };
    const left = { ...roundBudget };
    const share = Math.max(1, this.#walks.size);
    for (let turns = this.#walks.size; turns > 0 && left.jobs > 0 && left.looks > 0; turns--) {
      const [walk] = this.#walks.values();
      if (walk === undefined) break;
      const turn = {
        jobs: Math.min(left.jobs, Math.max(turnJobsMin, Math.floor(roundBudget.jobs / share))),
        looks: Math.min(left.looks, Math.max(turnScansMin, Math.floor(roundBudget.looks / share))),
      };
      const before = { ...turn };
      // Who had a turn stands behind all others.
      this.#walks.delete(walk.operation.bulk);
      this.#walks.set(walk.operation.bulk, walk);
      this.#step(walk, turn, now);
      left.jobs -= before.jobs - turn.jobs;
      left.looks -= before.looks - turn.looks;
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
