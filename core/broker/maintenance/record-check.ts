/** The interface of a consistency check over the records of a log. */

import type { Replay } from '../log/contract.ts';

/** Throws at a record that contradicts those before it. */
export interface RecordCheck extends Replay {
  /** The jobs of all records together; throws when something that they refer to is missing. */
  finish(): JobCounts;
}

export interface JobCounts {
  /** Jobs that are neither finished nor dead. */
  readonly live: number;
  readonly dead: number;
  /** Done and cancelled jobs that are still known. */
  readonly finished: number;
}
