/**
 * What a search asks, as conditions in SQL and the one index that walks through the candidates. The
 * index is named in the query and not left to SQLite, which knows nothing of how many rows each has.
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
import { wordsQuery } from './words.ts';

/** The conditions of a search, as `Search` carries them. */
export type SearchFilter = Message<'Search'>;

/** A piece of SQL with what is bound to its question marks. */
export interface Condition {
  readonly sql: string;
  readonly cells: readonly Cell[];
}

/** Where candidates come from, in order of `key`, which equals `jobs.seq`. */
export interface Walk {
  readonly from: string;
  readonly key: string;
  /** Must hold; stands before the range of keys. */
  readonly first: Condition;
  /** The candidates are few and known: nothing is gained by looking at a part of the table first. */
  readonly isShort: boolean;
}

export interface Question {
  readonly walk: Walk;
  readonly conditions: readonly Condition[];
}

/** Most jobs come to an end in one of these: an agent has fewer jobs than such a state. */
const commonStates: ReadonlySet<JobState> = new Set(['done', 'cancelled']);

const always: Condition = { sql: 'true', cells: [] };

/**
 * The question that the filter asks at `nowMs`. A delayed job whose time has come counts as ready.
 * @throws AiqError `BAD_REQUEST` when a condition makes no sense
 */
export function searchQueryOf(filter: SearchFilter, nowMs: number): Question {
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

/** By the condition that, as a rule, leaves the fewest candidates. */
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

/** Candidates that were found by other means, whatever else is asked. */
export function walkThrough(seqs: readonly number[]): Walk {
  return {
    from: 'json_each(?) AS few CROSS JOIN jobs ON jobs.seq = few.value',
    key: 'few.value',
    // The question mark of `json_each` comes before all others.
    first: { sql: 'true', cells: [JSON.stringify(seqs)] },
    isShort: true,
  };
}

/** A cost that nobody knows is not at least anything. */
function costOf(costMicrosMin: number): Condition {
  const sql = 'jobs.cost_micros >= ? AND jobs.cost_micros < ?';
  return { sql, cells: [costMicrosMin, unknownCostMicros] };
}

/** Jobs of the narrow conditions for which there is an index of its own: time and cost. */
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
    throw new AiqError('BAD_REQUEST', '`none` is no state that a job can be in');
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
 * Acceptance numbers must be below this to be on the page: all of them, or those behind the cursor.
 * @throws AiqError `BAD_REQUEST` when the cursor is none of ours
 */
export function cursorOf(after: string): number {
  if (after === '') return Number.MAX_SAFE_INTEGER;
  const seq = /^[1-9]\d{0,15}$/.test(after) ? Number(after) : Number.NaN;
  if (Number.isSafeInteger(seq)) return seq;
  const shown = JSON.stringify(after.slice(0, 40));
  throw new AiqError('BAD_REQUEST', `not a cursor: ${shown}; pass on \`next\` of the page before`);
}

/** @throws AiqError `BAD_REQUEST` for a page of no rows, which would never end */
export function rowsOf(limit: number): number {
  if (limit > 0) return Math.min(limit, limits.listRowsMax);
  throw new AiqError('BAD_REQUEST', `limit must be from 1 to ${limits.listRowsMax}`);
}
