/** Formats budgets and what is used of them, and finds the one that was typed. */

import { formatMicros } from '../../base/index.ts';
import type { BudgetState, BudgetTerms } from '../../job-queue/index.ts';
import { didYouMean } from '../../yaml/index.ts';
import { CliError } from '../errors.ts';
import type { Session } from '../session.ts';
import { formatTable } from './format.ts';
import { countText } from './progress.ts';
import { outputWidth } from './terminal.ts';

/** Shares of the amount that are worth a line, the largest first. */
export const warnPercents: readonly number[] = [100, 80, 50];

/** What calls have cost for certain, or may have: all but what those hold that are under way. */
export function usedMicros({ settledMicros, unknownMicros }: BudgetState): number {
  return settledMicros + unknownMicros;
}

/**
 * What the next call may cost at most; below 0 where providers billed more than bounds. Null for what each
 * job may cost by itself: the sums are those of all.
 */
export function leftMicros(state: BudgetState): number | null {
  if (state.terms.per === 'job') return null;
  return state.amountMicros - usedMicros(state) - state.heldMicros;
}

/** Whole percents of the amount, rounded down; 0 for what each job may cost by itself. */
export function usedPercent(state: BudgetState): number {
  if (state.terms.per === 'job') return 0;
  if (state.amountMicros === 0) return 100;
  return Number((BigInt(usedMicros(state)) * 100n) / BigInt(state.amountMicros));
}

/** `2.4 of 3 USD used`, or `3 USD for each job`. */
export function usedText(state: BudgetState): string {
  const { amountMicros, terms } = state;
  const amount = `${formatMicros(amountMicros)} ${terms.currency}`;
  if (terms.per === 'job') return `${amount} for each job`;
  return `${formatMicros(usedMicros(state))} of ${amount} used`;
}

/** How many jobs wait, and what runs them. */
export function waitingText(state: BudgetState, jobs: number): string {
  const { name } = state.terms;
  const them = jobs === 1 ? 'it' : 'them';
  return `${waitText(jobs)} for budget ${name} (${usedText(state)}); aiq budgets raise ${name} <amount> runs ${them}`;
}

function waitText(jobs: number): string {
  return jobs === 1 ? '1 job waits' : `${jobs} jobs wait`;
}

/** `12 jobs that waited for it run on`. */
export function runOnText(jobs: number): string {
  return `${countText(jobs)} that waited for it ${jobs === 1 ? 'runs' : 'run'} on`;
}

/** Whose calls: `agent summarize, tag x`, or `all`. */
export function scopeText({ agent, model, tag, batch }: BudgetTerms): string {
  const parts = Object.entries({ agent, model, tag, batch });
  return (
    parts
      .filter(([, value]) => value !== null)
      .map(([field, value]) => `${field} ${value}`)
      .join(', ') || 'all'
  );
}

const heading = [
  'BUDGET',
  'AMOUNT',
  'PER',
  'SETTLED',
  'HELD',
  'UNKNOWN',
  'LEFT',
  'WAITING',
  'UNTIL',
  'CALLS OF',
];

/** One line for each budget, with a heading at a terminal. */
export function budgetTable(states: readonly BudgetState[]): string[] {
  if (states.length === 0) return [];
  const rows = states.map((state) => {
    const { terms, amountMicros, settledMicros, heldMicros, unknownMicros, period } = state;
    const amounts = [settledMicros, heldMicros, unknownMicros];
    const left = leftMicros(state);
    return [
      terms.name,
      `${formatMicros(amountMicros)} ${terms.currency}`,
      terms.per,
      ...amounts.map((micros) => formatMicros(micros)),
      left === null ? '-' : formatMicros(left),
      String(state.parked),
      period === null ? '-' : timeText(period.endMs),
      scopeText(terms),
    ];
  });
  return formatTable(heading, rows, outputWidth());
}

/** To the minute, in UTC: no clock is set by seconds at midnight. */
function timeText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 16)}Z`;
}

/** A budget as programs get it: times as ISO 8601 in UTC. */
export function describeBudget(state: BudgetState): object {
  const { terms, period, ...amounts } = state;
  return {
    ...terms,
    termsAmountMicros: terms.amountMicros,
    periodStart: period === null ? null : new Date(period.startMs).toISOString(),
    periodEnd: period === null ? null : new Date(period.endMs).toISOString(),
    ...amounts,
    leftMicros: leftMicros(state),
  };
}

/** All of one budget: a line for each label, and then what follows from it, a sentence each. */
export function formatBudgetDetails(state: BudgetState): string[] {
  const { terms, amountMicros, period, overBound, parked } = state;
  const { currency } = terms;
  const money = (micros: number): string => `${formatMicros(micros)} ${currency}`;
  const left = leftMicros(state);
  const raised =
    amountMicros === terms.amountMicros ? '' : `, in place of ${money(terms.amountMicros)}`;
  const rows: readonly (readonly [label: string, value: string])[] = [
    ['budget', terms.name],
    ['amount', `${money(amountMicros)}${raised}`],
    ['per', perText(state)],
    ['calls of', scopeText(terms)],
    ['settled', money(state.settledMicros)],
    ['held', money(state.heldMicros)],
    ['unknown', money(state.unknownMicros)],
    ['left', left === null ? '-' : money(left)],
    ['until', period === null ? '-' : timeText(period.endMs)],
    ['over bound', overBound.join(', ') || '-'],
    ['waiting', countText(parked)],
  ];
  return [
    ...rows.map(([label, value]) => `${label.padEnd(12)}${value}`),
    ...adviceOn(state).flatMap((line) => ['', line]),
  ];
}

function perText({ terms: { per, timeZone } }: BudgetState): string {
  if (per === 'all') return 'all, for ever';
  return per === 'job' ? 'job, over all its attempts' : `${per} in ${timeZone}`;
}

function adviceOn(state: BudgetState): string[] {
  const { terms, period, overBound, parked, unknownMicros } = state;
  const { name } = terms;
  const raise = `aiq budgets raise ${name} <amount>`;
  const level = warnPercents.find((percent) => usedPercent(state) >= percent);
  const lines: string[] = [];
  if (level !== undefined) lines.push(warningText(state, level));
  if (parked > 0) {
    const begins = period === null ? '' : `, and so does the next ${terms.per}`;
    const them = parked === 1 ? 'it' : 'them';
    lines.push(`${waitText(parked)} for room in it: ${raise} runs ${them}${begins}.`);
  }
  if (unknownMicros > 0) {
    const most = `${formatMicros(unknownMicros)} ${terms.currency}`;
    lines.push(
      `Of some calls it is not known what they cost: ${most} at most, which counts until it is known. ` +
        `What your provider billed for them: aiq budgets settle ${name} <amount>.`,
    );
  }
  for (const model of overBound) {
    lines.push(
      `${model} was billed above what a call can cost by its price, so none of its calls starts here. ` +
        `Check the price (aiq prices ${model}); ${raise} lets them start again.`,
    );
  }
  return lines;
}

/** That so much of the budget is used. */
export function warningText(state: BudgetState, percent: number): string {
  const { terms, period } = state;
  const begins = period === null ? '' : `; it begins anew at ${timeText(period.endMs)}`;
  const share = percent === 100 ? 'all' : `${percent} %`;
  return `budget ${terms.name}: ${share} of it is used (${usedText(state)})${begins}`;
}

/**
 * A budget that the broker knows.
 * @throws CliError `notFound` for any other name, with what may have been meant
 */
export async function findBudget(session: Session, name: string): Promise<BudgetState> {
  const states = await (await session.queue()).budgets();
  const known = states.find(({ terms }) => terms.name === name);
  if (known !== undefined) return known;
  const { budgets } = await session.config();
  const isWritten = budgets.some((one) => one.name === name);
  const hint = isWritten
    ? `The configuration has it, the broker not yet: aiq budgets set ${name}`
    : 'See: aiq budgets list';
  throw unknownBudget(
    name,
    states.map(({ terms }) => terms.name),
    hint,
  );
}

/** @param hint where none of the known names is near */
export function unknownBudget(name: string, known: readonly string[], hint: string): CliError {
  const near = didYouMean(name, known);
  const detail = near === null ? hint : `Did you mean "${near}"?`;
  return new CliError('notFound', `no budget "${name}"`, [detail]);
}
