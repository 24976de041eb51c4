/**
 * Translates a search filter into SQL conditions and the one index that yields the candidates. The index
 * is named in the query, because SQLite has no statistics to choose it.
 */

import {
  AiqError,
  type JobState,
  jobStates,
  limits,
  type Message,
  unknownCostMicros,
} from '../../protocol/index.ts';
import type { Cell } from './columns.ts';

/** The conditions of a search, as `Search` carries them. */
export type SearchFilter = Message<'Search'>;

/** SQL with the values of its parameters. */
export interface Condition {
  readonly sql: string;
  readonly cells: readonly Cell[];
}

/** Where candidates come from, in order of `key`, which equals `jobs.seq`. */
export interface Walk {
  readonly from: string;
  readonly key: string;
  /** Condition on the index, before the range of keys. */
  readonly first: Condition;
  /** The candidates are few and known, so the table is not searched in spans. */
  readonly isShort: boolean;
}

export interface SearchQuery {
  readonly walk: Walk;
  readonly conditions: readonly Condition[];
}

/** The states of most jobs: an agent has fewer jobs than these. */
const commonStates: ReadonlySet<JobState> = new Set(['done', 'cancelled']);

const always: Condition = { sql: 'true', cells: [] };

/**
 * The query for the filter at `nowMs`. A delayed job that is due counts as ready.
 * @throws AiqError `BAD_REQUEST` when a condition makes no sense
 */
export function searchQueryOf(filter: SearchFilter, nowMs: number): SearchQuery {
  const { queue, agent, tag, errorCode, costMicrosMin } = filter;
  const stored = storedStates(filter.states);
  const conditions = [
    ...stateConditions(filter.states, nowMs),
    ...timeConditions(filter, nowMs),
    ...(queue === null ? [] : [{ sql: 'jobs.queue = ?', cells: [queue] }]),
    ...(agent === null ? [] : [{ sql: 'jobs.agent = ?', cells: [agent] }]),
    ...(errorCode === null ? [] : [{ sql: 'jobs.error_code = ?', cells: [errorCode] }]),
    ...(costMicrosMin === 0 ? [] : [costOf(costMicrosMin)]),
    ...(tag === null
      ? []
      : [
          {
            sql: 'EXISTS (SELECT 1 FROM tags AS t WHERE t.tag = ? AND t.seq = jobs.seq)',
            cells: [tag],
          },
        ]),
  ];
  return { walk: walkOf(filter, stored), conditions };
}

/** Chooses the condition that usually leaves the fewest candidates. */
function walkOf(filter: SearchFilter, stored: readonly number[]): Walk {
  const { text, errorCode, tag, queue, agent, states } = filter;
  if (text !== null) {
    return {
      from: 'words CROSS JOIN jobs ON jobs.seq = words.rowid',
      key: 'words.rowid',
      first: { sql: 'words MATCH ?', cells: [wordsQuery(text)] },
      isShort: false,
    };
  }
  if (errorCode !== null && errorCode !== '') {
    const sql = "jobs.error_code = ? AND jobs.error_code <> ''";
    return byIndex('by_error', { sql, cells: [errorCode] });
  }
  if (tag !== null) {
    return {
      from: 'tags CROSS JOIN jobs ON jobs.seq = tags.seq',
      key: 'tags.seq',
      first: { sql: 'tags.tag = ?', cells: [tag] },
      isShort: false,
    };
  }
  const inStates = isIn('jobs.state', stored);
  if (queue !== null) {
    const sql = `jobs.queue = ? AND ${inStates.sql}`;
    return byIndex('by_queue', { sql, cells: [queue, ...inStates.cells] });
  }
  const areRare = states.length > 0 && !states.some((state) => commonStates.has(state));
  if (agent !== null && !areRare) {
    return byIndex('by_agent', { sql: 'jobs.agent = ?', cells: [agent] });
  }
  if (states.length > 0) return byIndex('by_state', inStates);
  return { from: 'jobs NOT INDEXED', key: 'jobs.seq', first: always, isShort: false };
}

function byIndex(index: string, first: Condition): Walk {
  return { from: `jobs INDEXED BY ${index}`, key: 'jobs.seq', first, isShort: false };
}

/** Candidates that were found before. */
export function walkThrough(seqs: readonly number[]): Walk {
  return {
    from: 'json_each(?) AS few CROSS JOIN jobs ON jobs.seq = few.value',
    key: 'few.value',
    // The question mark of `json_each` comes before all others.
    first: { sql: 'true', cells: [JSON.stringify(seqs)] },
    isShort: true,
  };
}

/** An unknown cost meets no minimum. */
function costOf(costMicrosMin: number): Condition {
  const sql = 'jobs.cost_micros >= ? AND jobs.cost_micros < ?';
  return { sql, cells: [costMicrosMin, unknownCostMicros] };
}

/** Queries for the candidates of conditions with their own index: time and cost. */
export function narrowOf(filter: SearchFilter, nowMs: number): readonly Condition[] {
  const { sinceMs, costMicrosMin } = filter;
  const untilMs = filter.untilMs === 0 ? Number.MAX_SAFE_INTEGER : filter.untilMs;
  const changed: Condition = {
    sql: `SELECT seq FROM jobs INDEXED BY by_change WHERE changed_at_ms BETWEEN ? AND ?
      UNION SELECT seq FROM jobs INDEXED BY by_due WHERE due_at_ms > 0 AND due_at_ms BETWEEN ? AND ?`,
    cells: [sinceMs, untilMs, sinceMs, Math.min(untilMs, nowMs)],
  };
  const costly: Condition = {
    sql: `SELECT seq FROM jobs INDEXED BY by_cost WHERE cost_micros > 0 AND cost_micros >= ?`,
    cells: [costMicrosMin],
  };
  return [
    ...(sinceMs === 0 && filter.untilMs === 0 ? [] : [changed]),
    ...(costMicrosMin === 0 ? [] : [costly]),
  ];
}

/** All states when none is named, because the index by queue has the state before the order. */
function storedStates(states: readonly JobState[]): number[] {
  if (states.includes('none')) {
    throw new AiqError('BAD_REQUEST', '`none` is not a state of a job');
  }
  const asked: readonly JobState[] =
    states.length === 0 ? (Object.keys(jobStates) as JobState[]) : states;
  const stored = new Set(asked.map((state) => jobStates[state]));
  if (asked.includes('ready')) stored.add(jobStates.delayed);
  return [...stored];
}

function stateConditions(states: readonly JobState[], nowMs: number): Condition[] {
  if (states.length === 0) return [];
  const conditions = [isIn('jobs.state', storedStates(states))];
  const [ready, delayed] = [states.includes('ready'), states.includes('delayed')];
  if (ready === delayed) return conditions;
  const sql = `(jobs.state <> ${jobStates.delayed} OR jobs.due_at_ms ${ready ? '<=' : '>'} ?)`;
  return [...conditions, { sql, cells: [nowMs] }];
}

function timeConditions({ sinceMs, untilMs }: SearchFilter, nowMs: number): Condition[] {
  if (untilMs > 0 && sinceMs > untilMs) {
    throw new AiqError('BAD_REQUEST', '`sinceMs` is later than `untilMs`');
  }
  const isDue = `jobs.state = ${jobStates.delayed} AND jobs.due_at_ms <= ?`;
  const changed = `iif(${isDue}, jobs.due_at_ms, jobs.changed_at_ms)`;
  return [
    ...(sinceMs === 0 ? [] : [{ sql: `${changed} >= ?`, cells: [nowMs, sinceMs] }]),
    ...(untilMs === 0 ? [] : [{ sql: `${changed} <= ?`, cells: [nowMs, untilMs] }]),
  ];
}

function isIn(column: string, values: readonly number[]): Condition {
  return { sql: `${column} IN (${values.map(() => '?').join(', ')})`, cells: values };
}

/**
 * The exclusive upper bound of `seq` for the page after the cursor.
 * @throws AiqError `BAD_REQUEST` when the cursor is invalid
 */
export function cursorOf(after: string): number {
  if (after === '') return Number.MAX_SAFE_INTEGER;
  const seq = /^[1-9]\d{0,15}$/.test(after) ? Number(after) : Number.NaN;
  if (Number.isSafeInteger(seq)) return seq;
  const shown = JSON.stringify(after.slice(0, 40));
  throw new AiqError('BAD_REQUEST', `not a cursor: ${shown}; use \`next\` of the previous page`);
}

/** Rows of the page. @throws AiqError `BAD_REQUEST` for 0, with which paging would never end */
export function rowsOf(limit: number): number {
  if (limit > 0) return Math.min(limit, limits.listRowsMax);
  throw new AiqError('BAD_REQUEST', `limit must be from 1 to ${limits.listRowsMax}`);
}

/** Each word costs an index scan. */
const wordsMax = 32;
const textLengthMax = 1000;

/** Characters of words in the index; all others separate words. */
const letterOrDigit = /[\p{L}\p{N}\p{Co}]/u;

/**
 * A query for rows that have all words of the text. Every word is quoted, so that nothing in it is
 * an operator; one with a sign inside (`article-12`) matches its parts, in this order.
 * @throws AiqError `BAD_REQUEST` when the text has no word, too many or is too long
 */
function wordsQuery(text: string): string {
  if (text.length > textLengthMax) {
    throw new AiqError('BAD_REQUEST', `text to search for has at most ${textLengthMax} characters`);
  }
  // To the index a NUL is the end of the query.
  const words = text.split(/[\s\0]+/).filter((word) => letterOrDigit.test(word));
  if (words.length === 0) {
    const shown = JSON.stringify(text.slice(0, 40));
    throw new AiqError('BAD_REQUEST', `text to search for needs a letter or a digit: ${shown}`);
  }
  if (words.length > wordsMax) {
    throw new AiqError('BAD_REQUEST', `text to search for has at most ${wordsMax} words`);
  }
  return words.map((word) => `"${word.replaceAll('"', '""')}"`).join(' ');
}
