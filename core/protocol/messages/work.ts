/**
 * How jobs come in, go out to consumers under leases, and are settled.
 * Part of the table in `../messages.ts`.
 */

import {
  directives,
  enqueueOutcomes,
  itemAnswer,
  jobStates,
  output,
  settleOutcomes,
  token,
  usage,
  value,
} from '../structs.ts';

const plainSettlement = {
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
} as const;

export const workMessages = {
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
  /** A Settle without files and prompts, for clients that write none. The broker takes it as one. */
  PlainSettle: {
    opcode: 14,
    from: 'client',
    answer: 'SettleOk',
    fields: { items: { list: { struct: plainSettlement } } },
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
  Directives: {
    opcode: 39,
    from: 'broker',
    answer: null,
    fields: { items: { list: { struct: { token, directive: { enum: directives } } } } },
  },
  Settle: {
    opcode: 71,
    from: 'client',
    answer: 'SettleOk',
    fields: {
      items: {
        list: {
          struct: {
            ...plainSettlement,
            /** Files of the result, which this settle makes real; only with `ack`. */
            output: { optional: output },
            /** What was sent to the model, as the consumer packs it. */
            prompts: { optional: value },
          },
        },
      },
    },
  },
} as const;
