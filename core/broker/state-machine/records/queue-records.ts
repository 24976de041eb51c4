/** Records of queues, and of bulk operations on their jobs. */

import type { Meaning, Meanings } from './family.ts';

/** Bulk operations: many jobs, in steps of bounded size, each step logged. */
export const bulkActions = { purge: 1, retryDead: 2, signal: 3 } as const;
export type BulkAction = keyof typeof bulkActions;

export const queueKinds = {
  /** Nothing of the queue is delivered from here on. */
  paused: { number: 7, fields: { queue: 'text', atMs: 'u53' } },
  unpaused: { number: 8, fields: { queue: 'text', atMs: 'u53' } },
  /** A queue got limits and retention of its own; 0 means the broker's. */
  queueConfigured: {
    number: 12,
    fields: { queue: 'text', jobsMax: 'u53', bytesMax: 'u53', keepMs: 'u53', keepJobs: 'u53' },
  },
  /** A bulk operation began; it concerns jobs up to acceptance number `seqMax`. */
  bulkStarted: {
    number: 13,
    fields: {
      bulk: 'u53',
      action: { enum: bulkActions },
      queue: { optional: 'text' },
      /** The errorCode of `retryDead`, the key of `signal`. */
      key: { optional: 'text' },
      seqMax: 'u53',
      touched: 'u53',
      /** Of jobs that came to their state when it began, those before were touched; see `BulkWalk`. */
      nextSeq: 'u53',
      atMs: 'u53',
    },
  },
  /** How many jobs it changed so far, and where it continues. */
  bulkStepped: { number: 24, fields: { bulk: 'u53', touched: 'u53', nextSeq: 'u53' } },
  bulkEnded: { number: 14, fields: { bulk: 'u53' } },
} as const;

/** Bulk operations are few, and their records are not all absolute: each is kept. */
const keptAlways: Meaning<{ readonly kind: string }> = {
  summarize: (summary, { kind }, place) => summary.keep('broker', `${kind} ${place.offset}`, place),
};

/** The newest of `paused` and `unpaused` counts. */
const keptAsPaused: Meaning<{ readonly queue: string }> = {
  summarize: (summary, { queue }, place) => summary.keep(`queue ${queue}`, 'paused', place),
};

export const queueMeanings: Meanings<typeof queueKinds> = {
  paused: keptAsPaused,
  unpaused: keptAsPaused,
  queueConfigured: {
    summarize: (summary, { queue, kind }, place) => summary.keep(`queue ${queue}`, kind, place),
  },
  bulkStarted: keptAlways,
  bulkStepped: keptAlways,
  bulkEnded: keptAlways,
};
