/**
 * Batches: jobs that were enqueued together, which the broker counts, and stops where too many of them fail.
 * Part of the table in `../messages.ts`.
 */

import { jobCounts } from '../structs.ts';

export const batchMessages = {
  /** Gives a batch its rule before its jobs come; without a name it gets the next number. */
  OpenBatch: {
    opcode: 83,
    from: 'client',
    answer: 'BatchOk',
    fields: { name: 'text', stopRule: 'text' },
  },
  BatchOk: { opcode: 84, from: 'broker', answer: null, fields: { name: 'text' } },
  /** Goes on with a batch that was stopped: what failed so far counts no more. */
  ResumeBatch: { opcode: 85, from: 'client', answer: 'Ok', fields: { name: 'text' } },
  Batches: {
    opcode: 86,
    from: 'client',
    answer: 'BatchesOk',
    fields: { after: 'u53', limit: 'u32' },
  },
  BatchesOk: {
    opcode: 87,
    from: 'broker',
    answer: null,
    fields: {
      batches: {
        list: {
          struct: {
            name: 'text',
            stopRule: 'text',
            /** Why its jobs wait; absent while they run. */
            stopped: { optional: 'text' },
            counts: jobCounts,
            /** Jobs that are done or have failed an attempt; and of those, the ones that are not done. */
            tried: 'u53',
            failed: 'u53',
          },
        },
      },
      /** 0 when there are no more. */
      next: 'u53',
    },
  },
} as const;
