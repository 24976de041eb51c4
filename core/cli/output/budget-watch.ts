/** Warns of budgets while jobs run, and finds jobs that wait for one. */

import type { BatchState, BudgetState, JobInfo, JobQueue } from '../../job-queue/index.ts';
import { usedPercent, waitingText, warningText, warnPercents } from './budget-view.ts';
import type { Terminal } from './terminal.ts';

/** How often the broker is asked at most: warnings are for people. */
const pollMs = 5_000;

/** The watch of one run. */
export interface BudgetWatch {
  /** A job ended: asks the broker unless it was asked just now. */
  onReport(): void;
  /** Asks a last time, and resolves with all budgets. */
  end(): Promise<readonly BudgetState[]>;
}

/** Prints a line when 50, 80 and 100 % of a budget are used, once for each period. */
export function watchBudgets(
  queue: Pick<JobQueue, 'budgets'>,
  terminal: Pick<Terminal, 'warn'>,
  now: () => number = () => performance.now(),
): BudgetWatch {
  const warned = new Map<string, number>();
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let hasBudgets = true;
  const ask = async (): Promise<readonly BudgetState[]> => {
    askedAtMs = now();
    // A broker that does not answer is reported by the run itself.
    const states = await queue.budgets().catch(() => []);
    hasBudgets = states.length > 0;
    for (const state of states) warn(state);
    return states;
  };
  const warn = (state: BudgetState): void => {
    const key = `${state.terms.name} ${state.period?.startMs ?? 0}`;
    const percent = warnPercents.find((one) => usedPercent(state) >= one) ?? 0;
    if (percent <= (warned.get(key) ?? 0)) return;
    warned.set(key, percent);
    terminal.warn(warningText(state, percent));
  };
  return {
    onReport: () => {
      if (hasBudgets && now() - askedAtMs >= pollMs) void ask();
    },
    end: ask,
  };
}

/** What a job is parked on that waits for a budget, and one of a stopped batch, before the name. */
const keyStart = 'budget:';
const batchKeyStart = 'batch:';

/** What the job waits for by that name: a budget or a batch; null when it waits for none. */
function nameBehind(
  start: string,
  { state, parkKey }: Pick<JobInfo, 'state' | 'parkKey'>,
): string | null {
  return state === 'parked' && parkKey.startsWith(start) ? parkKey.slice(start.length) : null;
}

/** More parked jobs of a queue than that are not listed. */
const rowsMax = 10_000;

/** The jobs of these queues that wait for a budget, or for their batch to go on. */
export async function jobsWaiting(
  queue: Pick<JobQueue, 'list' | 'stats'>,
  queues: readonly string[],
): Promise<JobInfo[]> {
  const { queues: rows } = await queue.stats([...new Set(queues)]);
  const pages = await Promise.all(
    rows
      .filter(({ parked }) => parked > 0)
      .map((row) => queue.list({ queue: row.queue, state: 'parked', limit: rowsMax })),
  );
  return pages
    .flatMap(({ jobs }) => jobs)
    .filter((info) => (nameBehind(keyStart, info) ?? nameBehind(batchKeyStart, info)) !== null);
}

/** A line for each budget for which some of the jobs wait. */
export function waitingTexts(states: readonly BudgetState[], jobs: readonly JobInfo[]): string[] {
  return states.flatMap((state) => {
    const waiting = jobs.filter((info) => nameBehind(keyStart, info) === state.terms.name);
    return waiting.length === 0 ? [] : [waitingText(state, waiting.length)];
  });
}

/** A line for each stopped batch of which some of the jobs wait. */
export function stoppedTexts(batches: readonly BatchState[], jobs: readonly JobInfo[]): string[] {
  return batches.flatMap(({ name, stopped }) => {
    const waiting = jobs.filter((info) => nameBehind(batchKeyStart, info) === name).length;
    if (waiting === 0) return [];
    const what = waiting === 1 ? '1 job of batch' : `${waiting} jobs of batch`;
    const why = stopped ?? 'it was stopped';
    return [`${what} ${name} wait: ${why}. Mend it, then: aiq batches resume ${name}`];
  });
}
