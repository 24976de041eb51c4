/** Failures of a session, told apart by whether trying again makes sense. */

import { messageOf } from '../base/index.ts';
import { AiqError } from '../protocol/index.ts';

/** Finding the broker failed: whoever searched has already been as patient as it makes sense. */
export class ResolveError extends Error {
  override readonly cause: AiqError;

  constructor(cause: AiqError) {
    super(cause.message);
    this.cause = cause;
  }
}

/** True when a session that never was connected should tell its callers now. */
export function isPermanent(error: unknown): boolean {
  return error instanceof ResolveError || (error instanceof AiqError && !error.retryable);
}

/** Any failure as one with a code; what has none means that nobody was reached. */
export function asAiqError(error: unknown): AiqError {
  if (error instanceof AiqError) return error;
  if (error instanceof ResolveError) return error.cause;
  const message = messageOf(error);
  return new AiqError('UNREACHABLE', message, { cause: error });
}

export function closed(): AiqError {
  return new AiqError('CLOSED', 'the client was closed');
}
