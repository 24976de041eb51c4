/** What a lost connection means for a request that was sent on it. */

import type { RequestName } from '../protocol/index.ts';

/**
 * `read`: changes nothing. `repeat`: the broker recognizes the repetition, or twice is as once, and it
 * answers as the first time. `once`: a repetition may answer otherwise than the first did, so the
 * caller must decide. The first two kinds are sent again over the next connection.
 */
export const idempotencyOf = {
  Prove: 'once',
  Hello: 'once',
  Goodbye: 'once',
  Ping: 'read',
  Shutdown: 'once',

  // Known by their job ids and lease tokens.
  Enqueue: 'repeat',
  Settle: 'repeat',
  PlainSettle: 'repeat',
  Extend: 'repeat',
  Resume: 'once',
  // Each replaces what the connection had.
  Subscribe: 'repeat',
  Watch: 'repeat',

  Inspect: 'read',
  List: 'read',
  Search: 'read',
  Wait: 'read',
  Result: 'read',
  // The second time the job is no longer in the state that they ask for.
  Cancel: 'once',
  Retry: 'once',

  Stats: 'read',
  Problems: 'read',
  Pause: 'repeat',
  Unpause: 'repeat',
  // Sets what it says, all of it.
  ConfigureQueue: 'repeat',
  // Each begins an operation of its own: a second one would also take jobs that came meanwhile.
  Purge: 'once',
  RetryDead: 'once',
  // Jobs that were parked after the first one would be woken by the second.
  Signal: 'once',
  Bulk: 'read',

  // The chunk is known by hash and offset, the journal entry is written once.
  BlobPut: 'repeat',
  BlobGet: 'read',
  JournalPut: 'repeat',
  JournalGet: 'read',

  Output: 'read',
  Unwritten: 'read',
  Folders: 'read',
  // What is known as written is passed over.
  Written: 'repeat',

  // A hold is known by its number, and its charge counts once.
  Reserve: 'repeat',
  Charge: 'repeat',
  Budgets: 'read',
  SetBudgets: 'repeat',
  RemoveBudgets: 'repeat',
  RaiseBudget: 'repeat',
  // A second one would also settle calls that came to an unknown end meanwhile.
  SettleBudget: 'once',
  Costs: 'read',

  // Without a name each gives a number.
  OpenBatch: 'once',
  ResumeBatch: 'repeat',
  Batches: 'read',
} as const satisfies Record<RequestName, 'read' | 'repeat' | 'once'>;
