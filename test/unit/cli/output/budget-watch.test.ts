/** Warnings while jobs run: once each, and not too often asked for; and who waits for which budget. */

import { expect, test } from 'vitest';
import {
  jobsWaiting,
  waitingTexts,
  watchBudgets,
} from '../../../../core/cli/output/budget-watch.ts';
import type { BudgetState, JobInfo, JobQueue } from '../../../../core/job-queue/index.ts';
import { daily, dailyTerms } from '../money-fakes.ts';

/** A watch whose engine has what `now` holds, with a clock that is set. */
function watching() {
  const now = { states: [] as BudgetState[], ms: 0, fails: false };
  const lines: string[] = [];
  let asked = 0;
  const queue = {
    budgets: async () => {
      asked++;
      if (now.fails) throw new Error('no broker');
      return now.states;
    },
  };
  const terminal = { warn: (line: string) => void lines.push(line) };
  const watch = watchBudgets(queue, terminal, () => now.ms);
  return { now, lines, watch, asked: () => asked };
}

test('each share of a budget is a line, once, and in a new period again', async () => {
  const { now, lines, watch } = watching();
  const uses = async (settledMicros: number, startMs = 0): Promise<void> => {
    const period = { startMs, endMs: Date.UTC(2026, 11, 2) };
    now.states = [{ ...daily, settledMicros, period }];
    await watch.end();
  };
  for (const micros of [0, 1_500_000, 1_600_000, 3_000_000, 3_100_000]) await uses(micros);
  await uses(2_400_000, 1);
  expect(lines).toEqual([
    'budget daily: 50 % of it is used (1.5 of 3 USD used); it begins anew at 2026-12-02T00:00Z',
    'budget daily: all of it is used (3 of 3 USD used); it begins anew at 2026-12-02T00:00Z',
    'budget daily: 80 % of it is used (2.4 of 3 USD used); it begins anew at 2026-12-02T00:00Z',
  ]);
});

test('what calls hold that are under way is not used, and a sum over jobs is no share', async () => {
  const { now, lines, watch } = watching();
  const terms = { ...dailyTerms, per: 'job' } as const;
  now.states = [
    { ...daily, heldMicros: 3_000_000 },
    { ...daily, terms, settledMicros: 9_000_000 },
  ];
  await watch.end();
  expect(lines).toEqual([]);
});

test('the engine is asked at most once in 5 s, and not again where there are no budgets', async () => {
  const { now, watch, asked } = watching();
  now.states = [daily];
  for (now.ms = 0; now.ms < 10_000; now.ms += 1_000) {
    watch.onReport();
    await Promise.resolve();
  }
  expect(asked()).toBe(2);
  now.states = [];
  await watch.end();
  now.ms = 60_000;
  watch.onReport();
  expect(asked()).toBe(3);
});

test('an engine that does not answer ends no run', async () => {
  const { now, lines, watch } = watching();
  now.fails = true;
  expect(await watch.end()).toEqual([]);
  expect(lines).toEqual([]);
});

test('jobs wait for a budget by their park key, in the queues that are asked for', async () => {
  const parked = ['budget:daily', 'budget:daily', 'budget:search', 'a-key'];
  const asked: (string | undefined)[] = [];
  const queue = {
    stats: async () => ({
      queues: [
        { queue: 'a', parked: 4 },
        { queue: 'b', parked: 0 },
      ],
    }),
    list: async (filter: { readonly queue?: string }) => {
      asked.push(filter.queue);
      return { jobs: parked.map((parkKey) => ({ state: 'parked', parkKey })), next: null };
    },
  } as unknown as JobQueue;
  const jobs = await jobsWaiting(queue, ['a', 'b']);
  expect(asked).toEqual(['a']);
  const search = { ...daily, terms: { ...dailyTerms, name: 'search', currency: 'EUR' } };
  const states = [
    { ...daily, settledMicros: 3_000_000 },
    search,
    { ...daily, terms: { ...dailyTerms, name: 'other' } },
  ];
  expect(waitingTexts(states, jobs)).toEqual([
    '2 jobs wait for budget daily (3 of 3 USD used); aiq budgets raise daily <amount> runs them',
    '1 job waits for budget search (0 of 3 EUR used); aiq budgets raise search <amount> runs it',
  ]);
  expect(waitingTexts(states, [{ state: 'ready', parkKey: '' } as JobInfo])).toEqual([]);
});
