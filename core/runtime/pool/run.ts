/** One run of a job, wherever it happens: what it is given, and how it can end. */

import type { JobResult, StopReason } from '../attempt/result.ts';
import type { Services } from './questions.ts';

/** What the run's place has to know besides the request. */
export interface RunOptions {
  /** After this time the run's thread or process is ended, with everything on it. */
  readonly hardLimitMs: number;
  readonly services: Services;
}

export interface Run {
  readonly end: Promise<RunEnd>;
  /** Asks the run to stop; one that still waits ends at once. */
  stop(reason: StopReason): void;
}

/**
 * What ended a thread or a process. `killed`: a signal that was not ours, as the kernel sends when
 * memory is short. `crashed`: it threw, or ended itself.
 */
export type CrashCause = 'out_of_memory' | 'deadline' | 'killed' | 'crashed';

/** The death of a thread or a process, in words that a job's error may carry. */
export interface Crash {
  readonly cause: CrashCause;
  readonly message: string;
}

/** The crash of whatever is ended because a run on it did not stop in time. */
export function overtime(hardLimitMs: number): Crash {
  const message = `a job ran for more than ${hardLimitMs} ms and did not stop`;
  return { cause: 'deadline', message };
}

/**
 * How a run ended. `crashed`: its thread or process died, and this run may be why. `bystander`: the
 * thread died of another run. `unstarted`: it was stopped before it began.
 */
export type RunEnd =
  | { readonly type: 'finished'; readonly result: JobResult }
  | (Crash & { readonly type: 'crashed' })
  | { readonly type: 'bystander'; readonly message: string }
  | { readonly type: 'unstarted' };
