/** `aiq costs`: what calls cost, summed up. All money is in millionths until it is printed. */

import { formatMicros, parseDuration } from '../../../base/index.ts';
import type { CostRow } from '../../../job-queue/index.ts';
import { usageError } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import { formatTable } from '../../output/format.ts';
import { outputWidth, type Terminal } from '../../output/terminal.ts';
import type { Session } from '../../session.ts';

const keys = ['agent', 'model', 'batch', 'day'] as const;
type Key = (typeof keys)[number];

interface CostFlags {
  readonly by?: Key;
  readonly since?: string;
  readonly until?: string;
}

const counts = [
  'calls',
  'inputTokens',
  'outputTokens',
  'settledMicros',
  'heldMicros',
  'unknownMicros',
  'unknownCalls',
  'unpricedCalls',
  'estimatedCalls',
] as const;
type Counts = { readonly [count in (typeof counts)[number]]: number };

/** What the calls of one agent, model or day cost together: all that ended, and the money of those under way. */
export interface CostSum extends Counts {
  /** Values of what was summed by, in order. */
  readonly key: readonly string[];
}

const dayMs = 24 * 3_600_000;
const dayMax = 2 ** 32 - 1;

export async function showCosts(session: Session, flags: CostFlags): Promise<ExitName> {
  const { since, until } = daysOf(flags, Date.now());
  const by: readonly Key[] = flags.by === undefined ? ['agent', 'model'] : [flags.by];
  const rows = await (await session.queue()).costs(since, until);
  const sums = sumCosts(rows, by);
  const { terminal } = session;
  if (terminal.json) for (const sum of sums) terminal.result(JSON.stringify(described(sum, by)));
  else if (sums.length > 0) for (const line of tableOf(sums, by)) terminal.result(line);
  if (sums.length === 0) terminal.note('no costs: no model with a price was called in these days');
  else printTotal(terminal, sumOf([], rows));
  return 'ok';
}

/**
 * The days, since 1970 and in UTC, both included.
 * @throws CliError `usage`
 */
export function daysOf(
  flags: Pick<CostFlags, 'since' | 'until'>,
  nowMs: number,
): { readonly since: number; readonly until: number } {
  const since = flags.since === undefined ? 0 : dayOf('--since', flags.since, nowMs);
  const until = flags.until === undefined ? dayMax : dayOf('--until', flags.until, nowMs);
  if (since > until) throw usageError('--since must not be after --until');
  return { since, until };
}

function dayOf(flag: string, text: string, nowMs: number): number {
  const agoMs = parseDuration(text);
  const atMs = agoMs === null ? dateMsOf(text) : Math.max(0, nowMs - agoMs);
  if (atMs >= 0) return Math.floor(atMs / dayMs);
  throw usageError(`${flag}: ${JSON.stringify(text)} is not a day`, 'Examples: 7d, 2026-11-30');
}

/** NaN for what is no date, such as the 31st of November. */
function dateMsOf(text: string): number {
  const atMs = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00Z`) : Number.NaN;
  return Number.isNaN(atMs) || dateText(atMs / dayMs) !== text ? Number.NaN : atMs;
}

function dateText(day: number): string {
  return new Date(day * dayMs).toISOString().slice(0, 10);
}

/** Sums by the keys: days in their order, all else by what it cost, the most first. */
export function sumCosts(rows: readonly CostRow[], by: readonly Key[]): CostSum[] {
  const valueOf = (row: CostRow): string[] =>
    by.map((key) => (key === 'day' ? dateText(row.day) : row[key]));
  const groups = Map.groupBy(rows, (row) => JSON.stringify(valueOf(row)));
  const sums = [...groups.values()].map((group) =>
    sumOf(group[0] === undefined ? [] : valueOf(group[0]), group),
  );
  const byKey = (one: CostSum, other: CostSum): number =>
    one.key.join('\0') < other.key.join('\0') ? -1 : 1;
  const byCost = (one: CostSum, other: CostSum): number =>
    costOf(other) - costOf(one) || byKey(one, other);
  return sums.toSorted(by.includes('day') ? byKey : byCost);
}

function costOf({ settledMicros, heldMicros, unknownMicros }: Counts): number {
  return settledMicros + heldMicros + unknownMicros;
}

function sumOf(key: readonly string[], rows: readonly CostRow[]): CostSum {
  const sums = counts.map((count) => [count, rows.reduce((sum, row) => sum + row[count], 0)]);
  const counted = Object.fromEntries(sums) as Counts;
  // The engine counts a call either as one of known cost or as one of unknown cost.
  return { key, ...counted, calls: counted.calls + counted.unknownCalls };
}

function described({ key, ...sums }: CostSum, by: readonly Key[]): object {
  return { ...Object.fromEntries(by.map((name, at) => [name, key[at]])), ...sums };
}

function tableOf(sums: readonly CostSum[], by: readonly Key[]): string[] {
  const heading = [...by.map((key) => key.toUpperCase()), ...columns];
  const rows = sums.map((sum) => [...sum.key.map((value) => value || '-'), ...cellsOf(sum)]);
  return formatTable(heading, rows, outputWidth());
}

const columns = ['CALLS', 'TOKENS IN', 'OUT', 'SETTLED', 'HELD', 'UNKNOWN'];

function cellsOf(sum: Counts): string[] {
  const { calls, inputTokens, outputTokens, settledMicros, heldMicros, unknownMicros } = sum;
  return [
    ...[calls, inputTokens, outputTokens].map(String),
    ...[settledMicros, heldMicros, unknownMicros].map((micros) => formatMicros(micros, 2)),
  ];
}

/** The sum of all, and what it lacks. */
function printTotal(terminal: Terminal, total: CostSum): void {
  const [calls = '', tokensIn = '', out = '', settled = '', held = '', unknown = ''] =
    cellsOf(total);
  terminal.note(
    `total: ${callsText(Number(calls))}, ${tokensIn} tokens in, ${out} out, settled ${settled}, held ${held}, unknown ${unknown}`,
  );
  for (const line of lacks(total)) terminal.note(line);
}

function lacks({ unpricedCalls, unknownCalls, estimatedCalls }: Counts): string[] {
  return [
    ...lineOf(unpricedCalls, 'no known cost: add prices (aiq prices)'),
    ...lineOf(unknownCalls, 'an unknown cost: UNKNOWN has what that can be at most'),
    ...lineOf(estimatedCalls, 'estimated tokens, for the provider sent no count'),
  ];
}

function lineOf(calls: number, what: string): string[] {
  return calls === 0 ? [] : [`${callsText(calls)} ${calls === 1 ? 'has' : 'have'} ${what}`];
}

function callsText(calls: number): string {
  return calls === 1 ? '1 call' : `${calls} calls`;
}
