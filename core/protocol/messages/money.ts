/**
 * Budgets and rates, the money of model calls, and batches: reserved before a call, settled after it, and
 * stopped where too much fails. Part of the table in `../messages.ts`.
 */

import {
  budget,
  budgetModes,
  callRates,
  charge,
  jobCounts,
  parkReasons,
  token,
} from '../structs.ts';

export const moneyMessages = {
  /**
   * Reserves what a call can cost at most, in all budgets that concern it, and its place under the rates of
   * agent and provider, under a number that the client draws at random. Answered once it fits, or can not fit
   * any more; needs the lease.
   */
  Reserve: {
    opcode: 72,
    from: 'client',
    answer: 'ReserveOk',
    fields: {
      token,
      hold: 'u53',
      agent: 'text',
      model: 'text',
      tags: { list: 'text' },
      /** `null` for a call that holds no money. */
      boundMicros: { optional: 'u53' },
      /** `null` for a call that no rate concerns. */
      rates: { optional: callRates },
    },
  },
  ReserveOk: {
    opcode: 73,
    from: 'broker',
    answer: null,
    fields: {
      /** `none` when the call may start; all else says why not. */
      reason: { enum: parkReasons },
      budget: 'text',
      leftMicros: 'u53',
      /** When its next period begins; 0 for never. */
      opensAtMs: 'u53',
    },
  },
  /** What calls used and cost. A charge of a hold counts once. */
  Charge: { opcode: 74, from: 'client', answer: 'Ok', fields: { charges: { list: charge } } },
  Budgets: { opcode: 75, from: 'client', answer: 'BudgetsOk', fields: {} },
  BudgetsOk: {
    opcode: 76,
    from: 'broker',
    answer: null,
    fields: {
      budgets: {
        list: {
          struct: {
            terms: budget,
            /** The amount that counts, after raises. */
            amountMicros: 'u53',
            /** The present period; 0 where there is no calendar. */
            startMs: 'u53',
            endMs: 'u53',
            /** Of calls of the period; of a budget for each job the sums of all jobs that are not over. */
            settledMicros: 'u53',
            heldMicros: 'u53',
            unknownMicros: 'u53',
            /** Models that were billed above their bound. */
            overBound: { list: 'text' },
            /** Jobs that wait for it. */
            parked: 'u53',
          },
        },
      },
    },
  },
  SetBudgets: {
    opcode: 77,
    from: 'client',
    answer: 'Ok',
    fields: { mode: { enum: budgetModes }, budgets: { list: budget } },
  },
  /** They bind no call any more, and what was parked for them runs on. */
  RemoveBudgets: { opcode: 82, from: 'client', answer: 'Ok', fields: { names: { list: 'text' } } },
  /** Another amount, from now on; what it makes room for runs on. */
  RaiseBudget: {
    opcode: 78,
    from: 'client',
    answer: 'Ok',
    fields: { name: 'text', amountMicros: 'u53' },
  },
  /**
   * What a person says that the unknown calls of the budget's period cost together; `unknownMicros` are their
   * bounds, as that person saw them.
   */
  SettleBudget: {
    opcode: 79,
    from: 'client',
    answer: 'Ok',
    fields: { name: 'text', micros: 'u53', unknownMicros: 'u53' },
  },
  /** What calls cost, by day, agent, model and batch. */
  Costs: {
    opcode: 80,
    from: 'client',
    answer: 'CostsOk',
    fields: {
      /** Days since 1970 in UTC, both included. */
      dayMin: 'u32',
      dayMax: 'u32',
      /** Continue behind this cursor; 0 starts with the first row. */
      after: 'u53',
      limit: 'u32',
    },
  },
  CostsOk: {
    opcode: 81,
    from: 'broker',
    answer: null,
    fields: {
      rows: {
        list: {
          struct: {
            day: 'u32',
            agent: 'text',
            model: 'text',
            /** Empty for jobs in none. */
            batch: 'text',
            calls: 'u53',
            inputTokens: 'u53',
            outputTokens: 'u53',
            settledMicros: 'u53',
            heldMicros: 'u53',
            unknownMicros: 'u53',
            /** Calls of unknown cost, and calls without a price. */
            unknownCalls: 'u53',
            unpricedCalls: 'u53',
            /** Calls whose tokens were estimated, for the provider sent none. */
            estimatedCalls: 'u53',
          },
        },
      },
      /** 0 when there are no more. */
      next: 'u53',
    },
  },
} as const;

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
