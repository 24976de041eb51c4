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
  queueInfo,
  settleOutcomes,
  token,
  usage,
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
            result: { optional: 'bytes' },
            enqueue: { list: 'bytes' },
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
      jobs: { list: { struct: { info: jobInfo, job: { optional: 'bytes' } } } },
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
      durableOffset: 'u53',
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
  Purge: {
    opcode: 35,
    from: 'client',
    answer: 'PurgeOk',
    fields: {
      queue: 'text',
      /** Continue below this cursor; 0 starts with the newest job. */
      before: 'u53',
    },
  },
  PurgeOk: {
    opcode: 36,
    from: 'broker',
    answer: null,
    fields: { removed: 'u32', /** 0 when there are no more. */ next: 'u53' },
  },
  Watch: { opcode: 37, from: 'client', answer: 'Ok', fields: { queues: { list: 'text' } } },
  JobEvents: { opcode: 38, from: 'broker', answer: null, fields: { jobs: { list: jobInfo } } },

  Directives: {
    opcode: 39,
    from: 'broker',
    answer: null,
    fields: { items: { list: { struct: { token, directive: { enum: directives } } } } },
  },

  // Reserved from the start, answered with UNSUPPORTED by this broker.
  Signal: { opcode: 40, from: 'client', answer: 'Ok', fields: { key: 'text' } },
  Reserve: {
    opcode: 41,
    from: 'client',
    answer: 'Ok',
    fields: {
      reservation: 'id',
      scopes: { list: { struct: { scope: 'text', units: 'u53' } } },
    },
  },
  Commit: {
    opcode: 42,
    from: 'client',
    answer: 'Ok',
    fields: {
      reservation: 'id',
      scopes: { list: { struct: { scope: 'text', units: 'u53' } } },
    },
  },
  Release: { opcode: 43, from: 'client', answer: 'Ok', fields: { reservation: 'id' } },
  BlobPut: {
    opcode: 44,
    from: 'client',
    answer: 'Ok',
    fields: { sha256: 'bytes', totalBytes: 'u53', offset: 'u53', chunk: 'bytes' },
  },
  BlobGet: {
    opcode: 45,
    from: 'client',
    answer: 'Ok',
    fields: { sha256: 'bytes', offset: 'u53', lengthMax: 'u32' },
  },
  JournalPut: {
    opcode: 46,
    from: 'client',
    answer: 'Ok',
    fields: { token, callHash: 'bytes', sha256: 'bytes' },
  },
  JournalGet: {
    opcode: 47,
    from: 'client',
    answer: 'Ok',
    fields: { id: 'id', callHash: 'bytes' },
  },
} as const;
