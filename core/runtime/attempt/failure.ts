/** From whatever was thrown in an attempt to its failure class: one table per kind of error. */

import { AgentError, BrokenAgentError } from '../../agent/index.ts';
import { CodedError, messageOf } from '../../base/index.ts';
import { AiqError } from '../../job-queue/index.ts';
import { type FailureClass, ModelError } from '../../model/index.ts';
import { OutputError } from '../../output/index.ts';
import { ToolModuleError } from '../../tools/index.ts';
import type { JobFailure } from './result.ts';

/** Thrown and used as an abort reason: the attempt ends with exactly this failure. */
export class AttemptError extends CodedError {
  readonly failure: JobFailure['class'];

  constructor(failure: JobFailure['class'], code: string, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.failure = failure;
  }
}

/** A budget has no room for the next call: the job waits for it, uncharged. */
export class ParkedError extends AttemptError {
  /** What the job waits for. */
  readonly parkKey: string;

  constructor(budget: string, message: string) {
    super('parked', 'budget', message);
    this.parkKey = `budget:${budget}`;
  }
}

const outputClasses: Record<OutputError['code'], { class: FailureClass; code: string }> = {
  path_invalid: { class: 'permanent', code: 'path_invalid' },
  exists: { class: 'permanent', code: 'exists' },
  io: { class: 'transient', code: 'output_io' },
  taken_over: { class: 'transient', code: 'output_io' },
};

/** An aborted signal explains every error that follows from it, so it is asked first. */
export function failureOf(error: unknown, signal: AbortSignal): JobFailure {
  const cause: unknown = signal.aborted ? signal.reason : error;
  const message = messageOf(cause);
  const retryAfterMs = cause instanceof ModelError ? cause.retryAfterMs : null;
  const parked = cause instanceof ParkedError ? { park: cause.parkKey } : {};
  return { ...classOf(cause), message, retryAfterMs, ...parked };
}

function classOf(error: unknown): Pick<JobFailure, 'class' | 'code'> {
  if (error instanceof AttemptError || error instanceof ModelError) {
    return { class: error.failure, code: error.code };
  }
  if (error instanceof OutputError) return outputClasses[error.code];
  if (error instanceof AgentError) return { class: 'permanent', code: error.code };
  if (error instanceof BrokenAgentError || error instanceof ToolModuleError) {
    return { class: 'permanent', code: 'agent_broken' };
  }
  if (error instanceof AiqError && error.code === 'BAD_JOB') {
    return { class: 'permanent', code: 'bad_job' };
  }
  // A mistake of ours or of the machine: worth another attempt, and never without end.
  return { class: 'transient', code: 'internal_error' };
}
