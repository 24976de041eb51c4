/**
 * The closed sets and the structures that several messages share, with their wire numbers and field
 * order. Part of the table in `messages.ts`.
 */

/** States of a job, with their wire numbers. The state table is in `docs/reference/protocol.md`. */
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

/**
 * How a lease ended: the consumer's outcome; `lost` when it ran out or its session vanished;
 * `damaged` when the broker could no longer read the job.
 */
export const leaseEnds = { ...settleOutcomes, lost: 7, damaged: 8 } as const;
export type LeaseEnd = keyof typeof leaseEnds;

/**
 * Priorities, highest first. A job that waits ages: see the bound in `docs/reference/protocol.md`.
 */
export const priorities = { highest: 1, high: 2, normal: 3, low: 4, lowest: 5 } as const;
export type Priority = keyof typeof priorities;

/** What the broker asks of the holder of a lease when it renews. */
export const directives = { none: 0, cancel: 1, drain: 2 } as const;

/** What became of one job of an Enqueue batch. */
export const enqueueOutcomes = { created: 1, exists: 2, refused: 3 } as const;

/** A lease: (job, broker epoch, delivery number). Larger (epoch, delivery) fences smaller. */
export const token = { struct: { id: 'id', epoch: 'u53', delivery: 'u32' } } as const;

/** Tokens of the model and money in millionths; `estimated` when the provider sent no usage. */
export const usage = {
  struct: {
    calls: 'u32',
    inputTokens: 'u53',
    outputTokens: 'u53',
    costMicros: 'u53',
    estimated: 'bool',
  },
} as const;

/** How long the amount of a budget is for: a calendar period, one job, or for ever. */
export const budgetPeriods = { all: 1, day: 2, week: 3, month: 4, job: 5 } as const;

/** What a budget is; `null` concerns the calls of all. Money is in millionths of its currency. */
export const budget = {
  struct: {
    name: 'text',
    amountMicros: 'u53',
    currency: 'text',
    per: { enum: budgetPeriods },
    /** IANA name of the zone in whose calendar its days begin. */
    timeZone: 'text',
    agent: { optional: 'text' },
    model: { optional: 'text' },
    tag: { optional: 'text' },
    batch: { optional: 'text' },
  },
} as const;

/** What became of a model call: its cost is known, or not known, or it never left. */
export const callEnds = { settled: 1, unknown: 2, unsent: 3 } as const;

/** Why a call may not start. */
export const parkReasons = { none: 0, amount: 1, over_bound: 2 } as const;

/** How budgets of a configuration become those of the broker. */
export const budgetModes = {
  /** New ones are added; one that is known with other terms is a conflict. */
  declare: 1,
  /** The same, and known ones take the new terms. */
  set: 2,
} as const;

/** What a configuration lets an agent or a provider do; `null` for no such limit. */
export const rateLimits = {
  struct: {
    requestsPerMinute: { optional: 'u53' },
    tokensPerMinute: { optional: 'u53' },
    /** Calls in flight. */
    concurrency: { optional: 'u53' },
  },
} as const;

/** Under which rates a call falls. */
export const callRates = {
  struct: {
    /** A hash of the provider's address and key. */
    provider: 'text',
    /** The provider is on the consumer's machine. */
    isLocal: 'bool',
    agentLimits: rateLimits,
    providerLimits: rateLimits,
    /** What the consumer expects that the call uses. */
    inputTokens: 'u53',
    outputTokens: 'u53',
  },
} as const;

/** What the limit of a provider counts: in a tokens limit input and output together. */
export const allowanceKinds = { requests: 1, tokens: 2, input: 3, output: 4 } as const;

/** What a provider said of one of its own limits. */
export const allowance = {
  struct: {
    kind: { enum: allowanceKinds },
    limit: 'u53',
    left: 'u53',
    /** Time until all of it is left again. */
    fullInMs: 'u53',
  },
} as const;

/** What a model call used and cost; it frees what the call held. */
export const charge = {
  struct: {
    /** Of the job. */
    id: 'id',
    /** The hold of the call; 0 for a call that reserved nothing. */
    hold: 'u53',
    end: { enum: callEnds },
    agent: 'text',
    model: 'text',
    /** For an unknown end without a hold the cost is the bound. */
    usage,
    /** The provider refused the call for its rate, and asked to wait so long; 0 where it named no time. */
    throttledMs: { optional: 'u53' },
    allowances: { list: allowance },
  },
} as const;

/** How many jobs are in each state. */
export const jobCounts = {
  struct: {
    delayed: 'u53',
    ready: 'u53',
    leased: 'u53',
    done: 'u53',
    dead: 'u53',
    cancelled: 'u53',
    parked: 'u53',
  },
} as const;

/** Content by its SHA-256 (32 bytes): stored chunk by chunk, durable before anything refers to it. */
export const blobRef = { struct: { sha256: 'bytes', totalBytes: 'u53' } } as const;

/** Bytes that a consumer hands over: inline up to `limits.inlineBytesMax`, else a blob. One is set. */
export const value = {
  struct: { inline: { optional: 'bytes' }, blob: { optional: blobRef } },
} as const;

/** What happens when the name of a result is taken: fail, take the next free one, or replace. */
export const overwriteRules = { error: 1, number: 2, replace: 3 } as const;
export type Overwrite = keyof typeof overwriteRules;

/** A file of a result, by the path that it is to have below the output folder. */
export const outputFile = { struct: { path: 'text', content: value } } as const;

/** The files of a result, which the settle makes real and a consumer writes into a folder. */
export const output = {
  struct: {
    /** Absolute output folder. */
    dir: 'text',
    overwrite: { enum: overwriteRules },
    /** The earlier job whose unchanged files these replace. */
    replaces: { optional: 'id' },
    files: { list: outputFile },
    /** How it was made, as JSON text. */
    provenance: 'text',
  },
} as const;

/** Whether a done job has files, and whether they are in their folder. */
export const outputStates = { none: 0, unwritten: 1, written: 2 } as const;
export type OutputState = keyof typeof outputStates;

/** One end of a lease in a job's history. */
export const leaseEndInfo = {
  struct: {
    atMs: 'u53',
    end: { enum: leaseEnds },
    /** Number of the delivery that ended, and whose it was. */
    delivery: 'u32',
    session: 'id',
    errorCode: 'text',
    errorMessage: 'text',
  },
} as const;

export const jobInfo = {
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
    /** No delivery after it, wall clock; 0 for never. */
    expiresAtMs: 'u53',
    priority: { enum: priorities },
    tags: { list: 'text' },
    /** What a parked job waits for; empty when it is not parked. */
    parkKey: 'text',
    /** Bytes of the result, or of its files, that came with the ack; 0 when there is none. */
    resultBytes: 'u53',
    /** Whether it has files, and whether they are in their folder. */
    output: { enum: outputStates },
    /** Code and text of the last failure; empty when there was none. */
    errorCode: 'text',
    errorMessage: 'text',
    /** What the consumer said that the job made: JSON text, or empty. */
    note: 'text',
    usage,
  },
} as const;

export const queueInfo = {
  struct: {
    queue: 'text',
    /** Paused: nothing of it is delivered, while enqueues and settles go on. */
    paused: 'bool',
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
    /** Bytes of its jobs that are not finished, and dead ones. */
    bytes: 'u53',
    /** Limits of its own; 0 when only the broker's hold. */
    jobsMax: 'u53',
    bytesMax: 'u53',
    /** How long, and how many, finished jobs are kept; 0 when the broker's settings hold. */
    keepMs: 'u53',
    keepJobs: 'u53',
  },
} as const;

/** A code of the error table, or 0; and the job's state after the operation. */
export const itemAnswer = {
  struct: { code: 'u16', state: { enum: jobStates }, message: 'text' },
} as const;
