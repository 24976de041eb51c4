/**
 * The one table of protocol v1: every message with its opcode, who sends it, what answers it and
 * its fields in wire order. Codec, types and `docs/protocol.md` follow from it; a test holds the
 * document to it.
 *
 * To add a message: a row here, a handler in `core/broker/`, a row in `docs/protocol.md`.
 */

import {
  directives,
  enqueueOutcomes,
  itemAnswer,
  jobInfo,
  jobStates,
  leaseEndInfo,
  queueInfo,
  scopeUnits,
  settleOutcomes,
  token,
  usage,
  value,
} from './structs.ts';

export const messages = {
  Hello: {
    opcode: 1,
    from: 'client',
    answer: 'HelloOk',
    fields: {
      session: 'id',
      client: 'text',
      token: 'bytes',
      features: 'u32',
      frameBytesMax: 'u32',
    },
  },
  HelloOk: {
    opcode: 2,
    from: 'broker',
    answer: null,
    fields: {
      broker: 'id',
      epoch: 'u53',
      software: 'text',
      features: 'u32',
      frameBytesMax: 'u32',
      jobBytesMax: 'u32',
      batchItemsMax: 'u32',
      leaseMs: 'u32',
      resumeMs: 'u32',
      /** True when the broker still holds this session, with or without leases. */
      sessionKnown: 'bool',
    },
  },
  Error: {
    opcode: 3,
    from: 'broker',
    answer: null,
    fields: { code: 'u16', message: 'text' },
  },
  Ok: { opcode: 4, from: 'broker', answer: null, fields: {} },
  Goodbye: { opcode: 5, from: 'client', answer: 'Ok', fields: {} },
  Ping: { opcode: 6, from: 'client', answer: 'Ok', fields: {} },

  Enqueue: {
    opcode: 10,
    from: 'client',
    answer: 'EnqueueOk',
    fields: { atomic: 'bool', jobs: { list: 'bytes' } },
  },
  EnqueueOk: {
    opcode: 11,
    from: 'broker',
    answer: null,
    fields: {
      items: {
        list: {
          struct: {
            id: 'id',
            outcome: { enum: enqueueOutcomes },
            state: { enum: jobStates },
            code: 'u16',
            message: 'text',
          },
        },
      },
    },
  },
  Subscribe: {
    opcode: 12,
    from: 'client',
    answer: 'Ok',
    fields: { queues: { list: 'text' }, credit: 'u32' },
  },
  Deliver: {
    opcode: 13,
    from: 'broker',
    answer: null,
    fields: {
      items: {
        list: {
          struct: {
            token,
            attempt: 'u32',
            crashes: 'u32',
            isolated: 'bool',
            leaseMs: 'u32',
            enqueuedAtMs: 'u53',
            job: 'bytes',
          },
        },
      },
    },
  },
  Settle: {
    opcode: 14,
    from: 'client',
    answer: 'SettleOk',
    fields: {
      items: {
        list: {
          struct: {
            token,
            outcome: { enum: settleOutcomes },
            delayMs: 'u53',
            errorCode: 'text',
            errorMessage: 'text',
            note: 'text',
            usage,
            /** Kept with the job until it is forgotten; only with `ack`. */
            result: { optional: value },
            /** Follow-up jobs, accepted with this settle or not at all; only with `ack`. */
            enqueue: { list: 'bytes' },
            /** Wait for `Signal` of this key instead of the delay. */
            park: { optional: 'text' },
          },
        },
      },
    },
  },
  SettleOk: { opcode: 15, from: 'broker', answer: null, fields: { items: { list: itemAnswer } } },
  Extend: {
    opcode: 16,
    from: 'client',
    answer: 'ExtendOk',
    fields: { tokens: { list: token } },
  },
  ExtendOk: {
    opcode: 17,
    from: 'broker',
    answer: null,
    fields: {
      items: { list: { struct: { code: 'u16', directive: { enum: directives } } } },
    },
  },
  Resume: { opcode: 18, from: 'client', answer: 'ResumeOk', fields: { tokens: { list: token } } },
  ResumeOk: { opcode: 19, from: 'broker', answer: null, fields: { items: { list: itemAnswer } } },

  Inspect: {
    opcode: 20,
    from: 'client',
    answer: 'InspectOk',
    fields: { idPrefix: 'text', withJob: 'bool' },
  },
  InspectOk: {
    opcode: 21,
    from: 'broker',
    answer: null,
    fields: {
      jobs: {
        list: {
          struct: {
            info: jobInfo,
            job: { optional: 'bytes' },
            /** Ends of its leases, newest first, as many as are kept. */
            history: { list: leaseEndInfo },
          },
        },
      },
    },
  },
  List: {
    opcode: 22,
    from: 'client',
    answer: 'ListOk',
    fields: {
      queue: { optional: 'text' },
      state: { optional: { enum: jobStates } },
      /** Continue below this cursor; 0 starts with the newest job. */
      before: 'u53',
      limit: 'u32',
    },
  },
  ListOk: {
    opcode: 23,
    from: 'broker',
    answer: null,
    fields: { jobs: { list: jobInfo }, /** 0 when there are no more. */ next: 'u53' },
  },
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
  Wait: { opcode: 26, from: 'client', answer: 'WaitOk', fields: { id: 'id' } },
  WaitOk: { opcode: 27, from: 'broker', answer: null, fields: { job: jobInfo } },
  Cancel: { opcode: 28, from: 'client', answer: 'CancelOk', fields: { ids: { list: 'id' } } },
  CancelOk: { opcode: 29, from: 'broker', answer: null, fields: { items: { list: itemAnswer } } },
  Retry: { opcode: 30, from: 'client', answer: 'RetryOk', fields: { ids: { list: 'id' } } },
  RetryOk: { opcode: 31, from: 'broker', answer: null, fields: { items: { list: itemAnswer } } },
  Shutdown: { opcode: 32, from: 'client', answer: 'Ok', fields: {} },

  Pause: { opcode: 33, from: 'client', answer: 'Ok', fields: { queue: 'text' } },
  Unpause: { opcode: 34, from: 'client', answer: 'Ok', fields: { queue: 'text' } },
  /** Cancels the jobs of a queue that wait: ready, delayed and parked. */
  Purge: { opcode: 35, from: 'client', answer: 'BulkOk', fields: { queue: 'text' } },
  Watch: { opcode: 37, from: 'client', answer: 'Ok', fields: { queues: { list: 'text' } } },
  JobEvents: { opcode: 38, from: 'broker', answer: null, fields: { jobs: { list: jobInfo } } },

  Directives: {
    opcode: 39,
    from: 'broker',
    answer: null,
    fields: { items: { list: { struct: { token, directive: { enum: directives } } } } },
  },

  /** Makes every job ready that is parked on the key. */
  Signal: { opcode: 40, from: 'client', answer: 'BulkOk', fields: { key: 'text' } },
  /** Takes units from all scopes, or from none. */
  Reserve: {
    opcode: 41,
    from: 'client',
    answer: 'Ok',
    fields: { reservation: 'id', scopes: { list: scopeUnits } },
  },
  /** Replaces a reservation by what was really used. */
  Commit: {
    opcode: 42,
    from: 'client',
    answer: 'Ok',
    fields: { reservation: 'id', scopes: { list: scopeUnits } },
  },
  Release: { opcode: 43, from: 'client', answer: 'Ok', fields: { reservation: 'id' } },
  BlobPut: {
    opcode: 44,
    from: 'client',
    answer: 'BlobPutOk',
    fields: { sha256: 'bytes', totalBytes: 'u53', offset: 'u53', chunk: 'bytes' },
  },
  BlobGet: {
    opcode: 45,
    from: 'client',
    answer: 'BlobData',
    fields: { sha256: 'bytes', offset: 'u53', bytesMax: 'u32' },
  },
  /** Write-once: the answer carries what stands. */
  JournalPut: {
    opcode: 46,
    from: 'client',
    answer: 'JournalOk',
    fields: { token, callHash: 'bytes', value },
  },
  JournalGet: {
    opcode: 47,
    from: 'client',
    answer: 'JournalOk',
    fields: { id: 'id', callHash: 'bytes' },
  },
  /** A bulk operation: many jobs, step by step, durable; ask for its progress with `Bulk`. */
  BulkOk: {
    opcode: 48,
    from: 'broker',
    answer: null,
    fields: { bulk: 'u53', touched: 'u53', done: 'bool' },
  },
  Bulk: { opcode: 49, from: 'client', answer: 'BulkOk', fields: { bulk: 'u53' } },
  /** Makes dead jobs ready again, of one queue or all, of one cause or all. */
  RetryDead: {
    opcode: 50,
    from: 'client',
    answer: 'BulkOk',
    fields: { queue: { optional: 'text' }, errorCode: { optional: 'text' } },
  },
  /** Sets a queue's own limits and retention; 0 means the broker's. */
  ConfigureQueue: {
    opcode: 51,
    from: 'client',
    answer: 'Ok',
    fields: { queue: 'text', jobsMax: 'u53', bytesMax: 'u53', keepMs: 'u53', keepJobs: 'u53' },
  },
  /** Sets what a scope may spend: in all when `windowMs` is 0, else in each such time (a rate). */
  SetScope: {
    opcode: 52,
    from: 'client',
    answer: 'Ok',
    fields: { scope: 'text', limitUnits: 'u53', windowMs: 'u53' },
  },
  Scopes: { opcode: 53, from: 'client', answer: 'ScopesOk', fields: { prefix: 'text' } },
  ScopesOk: {
    opcode: 54,
    from: 'broker',
    answer: null,
    fields: {
      scopes: {
        list: {
          struct: {
            scope: 'text',
            limitUnits: 'u53',
            windowMs: 'u53',
            usedUnits: 'u53',
            reservedUnits: 'u53',
          },
        },
      },
    },
  },
  BlobPutOk: {
    opcode: 55,
    from: 'broker',
    answer: null,
    /** Bytes that the broker has, in order from 0: the next chunk begins there. */
    fields: { storedBytes: 'u53', complete: 'bool' },
  },
  BlobData: {
    opcode: 56,
    from: 'broker',
    answer: null,
    fields: { totalBytes: 'u53', offset: 'u53', chunk: 'bytes' },
  },
  JournalOk: {
    opcode: 57,
    from: 'broker',
    answer: null,
    fields: { value: { optional: value } },
  },
  Result: { opcode: 58, from: 'client', answer: 'ResultOk', fields: { id: 'id' } },
  ResultOk: {
    opcode: 59,
    from: 'broker',
    answer: null,
    fields: { value: { optional: value } },
  },
  /** Searches all jobs in the broker's history; every condition that is given must hold. */
  Search: {
    opcode: 60,
    from: 'client',
    answer: 'SearchOk',
    fields: {
      queue: { optional: 'text' },
      states: { list: { enum: jobStates } },
      agent: { optional: 'text' },
      tag: { optional: 'text' },
      /** Words that must occur in source, note or error. */
      text: { optional: 'text' },
      errorCode: { optional: 'text' },
      /** Bounds of the time when a job entered its state; 0 for none. */
      sinceMs: 'u53',
      untilMs: 'u53',
      costMicrosMin: 'u53',
      /** Continue behind this cursor of the page before; empty starts with the newest. */
      after: 'text',
      limit: 'u32',
    },
  },
  SearchOk: {
    opcode: 61,
    from: 'broker',
    answer: null,
    fields: {
      jobs: { list: jobInfo },
      /** Empty when there are no more. */
      next: 'text',
      /** The history holds everything up to this offset of the log. */
      offset: 'u53',
    },
  },
} as const;
