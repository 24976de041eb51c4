/** Why the broker cannot listen, with a message for the person who started it. */

import { CodedError } from '../../../base/index.ts';

/** `code` is the system's (`EADDRINUSE`) or one of our own in capitals (`NOT_LOOPBACK`). */
export class ListenError extends CodedError {}

/** What the system said, and where; the hint is for addresses that are taken or not valid. */
export function asListenError(error: unknown, where: string, hint: string): ListenError {
  if (error instanceof ListenError) return error;
  const { code = 'EUNKNOWN', message } = error as NodeJS.ErrnoException;
  const fix = code === 'EADDRINUSE' || code === 'EINVAL' ? ` ${hint}` : '';
  return new ListenError(code, `cannot listen on ${where}: ${message}.${fix}`, { cause: error });
}
