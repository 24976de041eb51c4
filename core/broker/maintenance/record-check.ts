/** What follows the records of a log to see that they do not contradict each other. */

import type { Replay } from '../log/contract.ts';

/** Throws at a record that contradicts those before. */
export interface RecordCheck extends Replay {
  /** What all records together amount to; throws when something that they need is not among them. */
  finish(): JobCounts;
}

export interface JobCounts {
  /** Jobs that are neither finished nor dead. */
  readonly live: number;
  readonly dead: number;
  /** Done and cancelled jobs that are still known. */
  readonly finished: number;
}
