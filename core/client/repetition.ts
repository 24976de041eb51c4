/** What a lost connection means for a request that was sent on it. */

import type { RequestName } from '../protocol/index.ts';

/**
 * `read`: changes nothing. `repeat`: the broker recognizes the repetition (by job id or lease token)
 * and answers as the first time. `once`: a repetition may answer otherwise than the first did, so
 * the caller must decide. The first two kinds are sent again over the next connection.
 */
export const repetitionOf = {
  Hello: 'once',
  Goodbye: 'once',
  Ping: 'read',
  Enqueue: 'repeat',
  Subscribe: 'repeat',
  Settle: 'repeat',
  Extend: 'repeat',
  Resume: 'once',
  Inspect: 'read',
  List: 'read',
  Stats: 'read',
  Wait: 'read',
  Cancel: 'once',
  Retry: 'once',
  Shutdown: 'once',
  Signal: 'once',
  Reserve: 'once',
  Commit: 'once',
  Release: 'once',
  BlobPut: 'once',
  BlobGet: 'read',
  JournalPut: 'once',
  JournalGet: 'read',
  Pause: 'repeat',
  Unpause: 'repeat',
  Purge: 'once',
  Watch: 'repeat',
} as const satisfies Record<RequestName, 'read' | 'repeat' | 'once'>;
