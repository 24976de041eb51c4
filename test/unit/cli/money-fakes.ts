/** Budgets and costs as an engine would answer them, and a session of the command line that asks it. */

import type { Session } from '../../../core/cli/session.ts';
import type { BudgetConfig } from '../../../core/config/index.ts';
import type { BudgetState, BudgetTerms, CostRow, JobQueue } from '../../../core/job-queue/index.ts';

export const dailyTerms: BudgetTerms = {
  name: 'daily',
  amountMicros: 3_000_000,
  currency: 'USD',
  per: 'day',
  timeZone: 'UTC',
  agent: null,
  model: null,
  tag: null,
  batch: null,
};

export const daily: BudgetState = {
  terms: dailyTerms,
  amountMicros: 3_000_000,
  period: {
    startMs: Date.UTC(2026, 11, 1),
    endMs: Date.UTC(2026, 11, 2),
  },
  settledMicros: 0,
  heldMicros: 0,
  unknownMicros: 0,
  overBound: [],
  parked: 0,
};

export function costRow(row: Partial<CostRow>): CostRow {
  return {
    day: 0,
    agent: 'summarize',
    model: 'gpt-5-mini',
    batch: '',
    calls: 1,
    inputTokens: 0,
    outputTokens: 0,
    settledMicros: 0,
    heldMicros: 0,
    unknownMicros: 0,
    unknownCalls: 0,
    unpricedCalls: 0,
    estimatedCalls: 0,
    ...row,
  };
}

interface Faked {
  readonly states?: readonly BudgetState[];
  readonly rows?: readonly CostRow[];
  readonly written?: readonly BudgetConfig[];
  readonly json?: boolean;
}

/** A session with what it prints, and the changes that reach the engine, one JSON line each. */
export function moneySession({ states = [], rows = [], written = [], json = false }: Faked) {
  const results: string[] = [];
  const notes: string[] = [];
  const changes: string[] = [];
  const change =
    (name: string) =>
    async (...args: unknown[]): Promise<void> => {
      changes.push(JSON.stringify([name, ...args]));
    };
  const queue = {
    budgets: async () => states,
    costs: async (dayMin: number, dayMax: number) =>
      rows.filter(({ day }) => day >= dayMin && day <= dayMax),
    setBudgets: change('set'),
    removeBudgets: change('remove'),
    raiseBudget: change('raise'),
    settleBudget: change('settle'),
  } as unknown as JobQueue;
  const terminal = {
    json,
    result: (line: string) => void results.push(line),
    note: (line: string) => void notes.push(line),
  };
  const session = {
    terminal,
    queue: async () => queue,
    config: async () => ({ budgets: written, file: '/p/aiq.config.yaml' }),
  } as unknown as Session;
  return { session, results, notes, changes };
}
