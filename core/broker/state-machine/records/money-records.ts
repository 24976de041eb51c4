/** Records of budgets, and of the money of model calls: what they hold, and what they cost. */

import { budgetType, callEnds, usageType } from '../../../protocol/index.ts';
import type { Meaning, Meanings } from './family.ts';

/** What became of a call. Agent, model and batch are only there where there was no hold that says them. */
export const chargeField = {
  struct: {
    hold: 'u53',
    end: { enum: callEnds },
    agent: 'text',
    model: 'text',
    batch: 'text',
    usage: usageType,
    /** Of the call, or of its charge where it held nothing: days since 1970 in UTC. */
    day: 'u32',
  },
} as const;

export const moneyKinds = {
  /**
   * A budget is this from here on: its terms, the amount that counts, and what was settled in the period that
   * began at `startMs`. Also written when a new period begins, and by compaction.
   */
  budgetSet: {
    number: 33,
    fields: {
      terms: budgetType,
      amountMicros: 'u53',
      startMs: 'u53',
      settledMicros: 'u53',
      overBound: { list: 'text' },
      atMs: 'u53',
    },
  },
  budgetRemoved: { number: 34, fields: { name: 'text', atMs: 'u53' } },
  /** A call holds its bound in these budgets, each in the period that began then. */
  reserved: {
    number: 35,
    fields: {
      hold: 'u53',
      id: 'id',
      agent: 'text',
      model: 'text',
      /** Of the job; empty for none. */
      batch: 'text',
      boundMicros: 'u53',
      /** `forJob`: it is for each job, and counts until the job is over. */
      budgets: { list: { struct: { name: 'text', startMs: 'u53', forJob: 'bool' } } },
      day: 'u32',
      /** Its cost is unknown; only compaction writes it so. */
      unknown: 'bool',
      atMs: 'u53',
    },
  },
  charged: { number: 36, fields: { charges: { list: chargeField }, atMs: 'u53' } },
  /** Compaction: what a job has settled of a budget for each job. */
  jobSettled: {
    number: 37,
    fields: { name: 'text', id: 'id', settledMicros: 'u53', overBound: { list: 'text' } },
  },
  /** Compaction: what calls of a day have cost; holds are added by their own records. */
  costs: {
    number: 38,
    fields: {
      day: 'u32',
      agent: 'text',
      model: 'text',
      batch: 'text',
      calls: 'u53',
      inputTokens: 'u53',
      outputTokens: 'u53',
      settledMicros: 'u53',
      unknownMicros: 'u53',
      unknownCalls: 'u53',
      unpricedCalls: 'u53',
      estimatedCalls: 'u53',
    },
  },
} as const;

/** Charges are changes, each of which counts. */
const keptAlways: Meaning<{ readonly kind: string }> = {
  summarize: (summary, { kind }, place) => summary.keep('money', `${kind} ${place.offset}`, place),
};

export const moneyMeanings: Meanings<typeof moneyKinds> = {
  budgetSet: keptAlways,
  budgetRemoved: keptAlways,
  reserved: keptAlways,
  charged: keptAlways,
  jobSettled: keptAlways,
  costs: keptAlways,
};
