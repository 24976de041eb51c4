/** Failures of a session, classified by whether trying again makes sense. */

import { messageOf } from '../base/index.ts';
import { AiqError } from '../protocol/index.ts';

/** Finding the broker failed, and the resolver has already tried for as long as makes sense. */
export class ResolveError extends Error {
  override readonly cause: AiqError;

  constructor(cause: AiqError) {
    super(cause.message);
    this.cause = cause;
  }
}

/** True when a session that never was connected should fail its requests now. */
export function isPermanent(error: unknown): boolean {
  return error instanceof ResolveError || (error instanceof AiqError && !error.retryable);
}

/** Any failure as one with a code; what has none means that no broker was reached. */
export function asAiqError(error: unknown): AiqError {
  if (error instanceof AiqError) return error;
  if (error instanceof ResolveError) return error.cause;
  const message = messageOf(error);
  return new AiqError('UNREACHABLE', message, { cause: error });
}

export function closed(): AiqError {
  return new AiqError('CLOSED', 'the client was closed');
}
