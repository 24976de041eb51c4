/**
 * What a code of the broker speaks of: the connection, which it ends; one request; or one item of a
 * batch, while the others of the request stand for themselves. `docs/reference/protocol.md` repeats it.
 */

import type { ErrorCode } from './error-codes.ts';

export const errorScopes = {
  connection: [
    'BAD_MAGIC',
    'VERSION',
    'FRAME_TOO_LARGE',
    'BAD_FRAME',
    'UNKNOWN_OPCODE',
    'HELLO_EXPECTED',
    'UNAUTHORIZED',
    'TOO_SLOW',
    'SESSION_IN_USE',
    'TOO_MANY_CONNECTIONS',
    // Of Hello.
    'BAD_REQUEST',
  ],
  request: [
    // Of an answer that would be over what the client takes.
    'FRAME_TOO_LARGE',
    'UNSUPPORTED',
    'TOO_MANY_ITEMS',
    'CONFLICT',
    'QUEUE_FULL',
    'NOT_FOUND',
    'BAD_STATE',
    'STALE_LEASE',
    'BAD_REQUEST',
    'NO_BLOB',
    'BAD_BLOB',
    'SHUTTING_DOWN',
    'DISK_FULL',
    'LOG_UNREAD',
    'INTERNAL',
  ],
  item: [
    'UNSUPPORTED',
    'BAD_JOB',
    'CHECKSUM',
    'JOB_TOO_LARGE',
    'TOO_MANY_ITEMS',
    'CONFLICT',
    'BATCH_REFUSED',
    'QUEUE_FULL',
    'NOT_FOUND',
    'BAD_STATE',
    'STALE_LEASE',
    'BAD_REQUEST',
    'NO_BLOB',
    'DISK_FULL',
  ],
} as const satisfies Record<string, readonly ErrorCode[]>;

/** A code that may stand where the scope says. */
export type CodeOf<S extends keyof typeof errorScopes> = (typeof errorScopes)[S][number];

export function isItemCode(code: ErrorCode): code is CodeOf<'item'> {
  return (errorScopes.item as readonly ErrorCode[]).includes(code);
}
