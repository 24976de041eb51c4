/** Records of batches: what jobs that were enqueued together wait for. */

import type { Meanings } from './family.ts';

export const batchKinds = {
  /**
   * A batch is this from here on. Its jobs count in it by their own records; those that were `tried` and had
   * `failed` when it went on count no more for its rule.
   */
  batchSet: {
    number: 42,
    fields: {
      name: 'text',
      /** When the rest of it waits, as `core/gate/stop-rule.ts` reads it; empty for the default. */
      stopRule: 'text',
      /** Why its jobs wait; null while they run. */
      stopped: { optional: 'text' },
      tried: 'u53',
      failed: 'u53',
      atMs: 'u53',
    },
  },
  /** It had no jobs any more, and is forgotten. */
  batchDropped: { number: 43, fields: { name: 'text', atMs: 'u53' } },
} as const;

export const batchMeanings: Meanings<typeof batchKinds> = {
  batchSet: {
    summarize: (summary, { name, kind }, place) => summary.keep(`batch ${name}`, kind, place),
  },
  batchDropped: {
    summarize(summary, { name, kind }, place) {
      summary.drop(`batch ${name}`);
      summary.keep(`batch ${name}`, kind, place);
    },
  },
};
