/**
 * What concerns whole queues and the broker itself. What may touch many jobs is a bulk operation.
 * Part of the table in `../messages.ts`.
 */

import { queueInfo } from '../structs.ts';

export const queueMessages = {
  Stats: { opcode: 24, from: 'client', answer: 'StatsOk', fields: { queues: { list: 'text' } } },
  StatsOk: {
    opcode: 25,
    from: 'broker',
    answer: null,
    fields: {
      pid: 'u32',
      startedAtMs: 'u53',
      connections: 'u32',
      sessions: 'u32',
      logBytes: 'u53',
      /** Bytes of the log that are still needed; compaction frees the rest. */
      logLiveBytes: 'u53',
      logSegments: 'u32',
      durableOffset: 'u53',
      diskFreeBytes: 'u53',
      /** True while the disk is full: nothing is accepted or delivered, settles go on. */
      diskFull: 'bool',
      /** Offset up to which search knows the history. */
      historyOffset: 'u53',
      queues: { list: queueInfo },
    },
  },
  /** What the broker cannot do at the moment and tries again by itself, a sentence each. */
  Problems: { opcode: 62, from: 'client', answer: 'ProblemsOk', fields: {} },
  ProblemsOk: { opcode: 63, from: 'broker', answer: null, fields: { texts: { list: 'text' } } },
  Pause: { opcode: 33, from: 'client', answer: 'Ok', fields: { queue: 'text' } },
  Unpause: { opcode: 34, from: 'client', answer: 'Ok', fields: { queue: 'text' } },
  /** Sets a queue's own limits and retention; 0 means the broker's. */
  ConfigureQueue: {
    opcode: 51,
    from: 'client',
    answer: 'Ok',
    fields: { queue: 'text', jobsMax: 'u53', bytesMax: 'u53', keepMs: 'u53', keepJobs: 'u53' },
  },
  /** Cancels the jobs of a queue that wait: ready, delayed and parked. */
  Purge: { opcode: 35, from: 'client', answer: 'BulkOk', fields: { queue: 'text' } },
  /** Makes dead jobs ready again, of one queue or all, of one cause or all. */
  RetryDead: {
    opcode: 50,
    from: 'client',
    answer: 'BulkOk',
    fields: { queue: { optional: 'text' }, errorCode: { optional: 'text' } },
  },
  /** Makes every job ready that is parked on the key. */
  Signal: { opcode: 40, from: 'client', answer: 'BulkOk', fields: { key: 'text' } },
  Bulk: { opcode: 49, from: 'client', answer: 'BulkOk', fields: { bulk: 'u53' } },
  /** A bulk operation: many jobs, step by step, durable; ask for its progress with `Bulk`. */
  BulkOk: {
    opcode: 48,
    from: 'broker',
    answer: null,
    fields: { bulk: 'u53', touched: 'u53', done: 'bool' },
  },
} as const;
