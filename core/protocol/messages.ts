/**
 * The one table of protocol v1: every message with its opcode, who sends it, what answers it and
 * its fields in wire order. Codec, types and `docs/protocol.md` follow from it; a test holds the
 * document to it.
 *
 * To add a message: a row here, a handler in `core/broker/`, a row in `docs/protocol.md`.
 */

/** States of a job, with their wire numbers. The state table is in `docs/protocol.md`. */
export const jobStates = {
  none: 0,
  delayed: 1,
  ready: 2,
  leased: 3,
  done: 4,
  dead: 5,
  cancelled: 6,
  parked: 7,
} as const;
export type JobState = keyof typeof jobStates;

/**
 * How a consumer settles a lease. `ack`: done. `retry`: failed, charge an attempt, run again after
 * the delay. `throttled` and `returned`: not the job's fault, charge nothing. `crashed`: the job
 * took its thread down. `final`: dead-letter now.
 */
export const settleOutcomes = {
  ack: 1,
  retry: 2,
  throttled: 3,
  returned: 4,
  crashed: 5,
  final: 6,
} as const;
export type SettleOutcome = keyof typeof settleOutcomes;

/** What the broker asks of the holder of a lease when it renews. */
export const directives = { none: 0, cancel: 1, drain: 2 } as const;

/** What became of one job of an Enqueue batch. */
export const enqueueOutcomes = { created: 1, exists: 2, refused: 3 } as const;

/** A lease: (job, broker epoch, delivery number). Larger (epoch, delivery) fences smaller. */
const token = { struct: { id: 'id', epoch: 'u53', delivery: 'u32' } } as const;

/** Tokens of the model and money in millionths; `estimated` when the provider sent no usage. */
const usage = {
  struct: {
    calls: 'u32',
    inputTokens: 'u53',
    outputTokens: 'u53',
    costMicros: 'u53',
    estimated: 'bool',
  },
} as const;

const jobInfo = {
  struct: {
    id: 'id',
    queue: 'text',
    agent: 'text',
    source: 'text',
    state: { enum: jobStates },
    attempts: 'u32',
    attemptsMax: 'u32',
    crashes: 'u32',
    returns: 'u32',
    deliveries: 'u32',
    bodyBytes: 'u32',
    enqueuedAtMs: 'u53',
    /** When it entered its present state. */
    changedAtMs: 'u53',
    /** Earliest next delivery, wall clock; 0 when not delayed. */
    dueAtMs: 'u53',
    /** Code and text of the last failure; empty when there was none. */
    errorCode: 'text',
    errorMessage: 'text',
    /** What the consumer said that the job made: JSON text, or empty. */
    note: 'text',
    usage,
  },
} as const;

const queueInfo = {
  struct: {
    queue: 'text',
    delayed: 'u53',
    ready: 'u53',
    leased: 'u53',
    done: 'u53',
    dead: 'u53',
    cancelled: 'u53',
    parked: 'u53',
    /** Sessions that have credit for this queue or hold leases of it. */
    consumers: 'u32',
    /** Age of the oldest ready job; 0 when none is ready. */
    oldestReadyMs: 'u53',
  },
} as const;

/** A code of the error table, or 0; and the job's state after the operation. */
const itemAnswer = {
  struct: { code: 'u16', state: { enum: jobStates }, message: 'text' },
} as const;

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
  Pause: { opcode: 48, from: 'client', answer: 'Ok', fields: { queue: 'text' } },
  Unpause: { opcode: 49, from: 'client', answer: 'Ok', fields: { queue: 'text' } },
  Purge: { opcode: 50, from: 'client', answer: 'Ok', fields: { queue: 'text' } },
} as const;

export type Messages = typeof messages;
export type MessageName = keyof Messages;

type FieldType =
  | 'u8'
  | 'u16'
  | 'u32'
  | 'u53'
  | 'bool'
  | 'text'
  | 'bytes'
  | 'id'
  | { readonly list: FieldType }
  | { readonly optional: FieldType }
  | { readonly enum: Readonly<Record<string, number>> }
  | { readonly struct: Readonly<Record<string, FieldType>> };

export type { FieldType };

/** The TypeScript value of a wire type. Ids are 26 characters of base32 (see `ids.ts`). */
export type FieldValue<T> = T extends 'u8' | 'u16' | 'u32' | 'u53'
  ? number
  : T extends 'bool'
    ? boolean
    : T extends 'text' | 'id'
      ? string
      : T extends 'bytes'
        ? Uint8Array
        : T extends { readonly list: infer E }
          ? FieldValue<E>[]
          : T extends { readonly optional: infer E }
            ? FieldValue<E> | null
            : T extends { readonly enum: infer E }
              ? keyof E
              : T extends { readonly struct: infer S }
                ? { -readonly [K in keyof S]: FieldValue<S[K]> }
                : never;

/** The fields of a message as a plain object: `Message<'Enqueue'>` is `{ atomic, jobs }`. */
export type Message<N extends MessageName> = {
  -readonly [K in keyof Messages[N]['fields']]: FieldValue<Messages[N]['fields'][K]>;
};

/** A message with its name and correlation id, whichever it is; narrow it by `name`. */
export type AnyMessage = {
  [N in MessageName]: { name: N; correlationId: number; fields: Message<N> };
}[MessageName];

/** The answer that a request gets when all goes well. */
export type AnswerOf<N extends MessageName> = Messages[N]['answer'] extends MessageName
  ? Messages[N]['answer']
  : never;

/** Names of the messages that expect an answer. */
export type RequestName = {
  [N in MessageName]: Messages[N]['answer'] extends MessageName ? N : never;
}[MessageName];

/** A lease token as it stands in messages. */
export type LeaseToken = FieldValue<typeof token>;
export type JobInfo = FieldValue<typeof jobInfo>;
export type QueueInfo = FieldValue<typeof queueInfo>;
export type Usage = FieldValue<typeof usage>;
export type ItemAnswer = FieldValue<typeof itemAnswer>;
export type Delivery = Message<'Deliver'>['items'][number];
export type Settlement = Message<'Settle'>['items'][number];

export const noUsage: Usage = {
  calls: 0,
  inputTokens: 0,
  outputTokens: 0,
  costMicros: 0,
  estimated: false,
};
