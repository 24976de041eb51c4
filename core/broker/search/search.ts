/**
 * Executes searches, newest job first. Order and cursor are by acceptance number, which never changes:
 * when jobs change between two pages, none is returned twice and none that always matches is missed.
 * Work per page is bounded: a page may be short and still have a next one.
 */

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type JobInfo, limits, type Message } from '../../protocol/index.ts';
import { type Cell, infoOf } from './columns.ts';
import { infoAt } from './job-fold.ts';
import {
  cursorOf,
  narrowOf,
  rowsOf,
  type SearchFilter,
  type SearchQuery,
  searchQueryOf,
  walkThrough,
} from './search-query.ts';

/** Clocks and time budget of a search. */
export interface SearchClock {
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
  /** Time after which the page ends early. */
  readonly budgetMs: number;
}

/** Bytes of infos in one frame, which every client accepts. */
const infosBytesMax = limits.jobBodyBytesMax;

/** Candidates up to this number are read one by one; above it an ordered scan is as fast. */
const narrowSeqsMax = 5_000;

/** Acceptance numbers in the first span of the scan; each next one has twice as many. */
const spanFirst = 10_000;

/** A page of results, without the offset of the table. */
export type Page = Omit<Message<'SearchOk'>, 'offset'>;

/**
 * The jobs that meet all conditions of the filter.
 * @throws AiqError `BAD_REQUEST` when a condition makes no sense
 */
export function search(db: DatabaseSync, filter: SearchFilter, clock: SearchClock): Page {
  const below = cursorOf(filter.after);
  const rows = rowsOf(filter.limit);
  const nowMs = clock.wallMs();
  const query = narrowed(db, filter, nowMs);
  const { oldest, newest } = bounds(db);
  const page = new PageBuilder(rows, nowMs);
  const statement = prepare(db, query);
  const deadlineMs = clock.monotonicMs() + clock.budgetMs;
  let high = Math.min(below, newest + 1);
  let span = query.walk.isShort ? Number.POSITIVE_INFINITY : spanFirst;
  for (; high > oldest; span *= 2) {
    const low = Math.max(oldest, high - span);
    page.fill(statement.iterate(...cellsOf(query, low, high, page.room)));
    if (page.next !== null) return { jobs: page.jobs, next: page.next };
    high = low;
    if (clock.monotonicMs() >= deadlineMs) break;
  }
  return { jobs: page.jobs, next: high > oldest ? String(high) : '' };
}

/** The query; its candidates are listed first when a narrow condition leaves only few. */
function narrowed(db: DatabaseSync, filter: SearchFilter, nowMs: number): SearchQuery {
  const query = searchQueryOf(filter, nowMs);
  if (filter.text !== null) return query;
  for (const { sql, cells } of narrowOf(filter, nowMs)) {
    const found = db.prepare(`SELECT seq FROM (${sql}) LIMIT ?`).all(...cells, narrowSeqsMax + 1);
    if (found.length > narrowSeqsMax) continue;
    return { ...query, walk: walkThrough(found.map(({ seq }) => Number(seq))) };
  }
  return query;
}

/** Acceptance numbers of the oldest and the newest job; an empty table has none. */
function bounds(db: DatabaseSync): { oldest: number; newest: number } {
  const edge = (order: string): number =>
    Number(db.prepare(`SELECT seq FROM jobs ORDER BY seq ${order} LIMIT 1`).get()?.['seq'] ?? 0);
  return { oldest: edge('ASC'), newest: edge('DESC') };
}

function prepare(db: DatabaseSync, { walk, conditions }: SearchQuery): StatementSync {
  const all = [walk.first, { sql: `${walk.key} >= ? AND ${walk.key} < ?` }, ...conditions];
  return db.prepare(
    `SELECT jobs.* FROM ${walk.from} WHERE ${all.map(({ sql }) => sql).join(' AND ')}
      ORDER BY ${walk.key} DESC LIMIT ?`,
  );
}

function cellsOf(
  { walk, conditions }: SearchQuery,
  low: number,
  high: number,
  rows: number,
): Cell[] {
  return [...walk.first.cells, low, high, ...conditions.flatMap(({ cells }) => cells), rows];
}

/** Collects rows until the page is full, in rows or in bytes. */
class PageBuilder {
  readonly jobs: JobInfo[] = [];
  /** The cursor of the next page, once this one is full. */
  next: string | null = null;
  readonly #rowsMax: number;
  readonly #nowMs: number;
  #bytes = 0;
  #lastSeq = 0;

  constructor(rowsMax: number, nowMs: number) {
    this.#rowsMax = rowsMax;
    this.#nowMs = nowMs;
  }

  /** Rows to read: one more than fits shows that there is a next page. */
  get room(): number {
    return this.#rowsMax - this.jobs.length + 1;
  }

  fill(rows: Iterable<Record<string, unknown>>): void {
    for (const row of rows) {
      const info = infoAt(infoOf(row), this.#nowMs);
      this.#bytes += bytesMaxOf(info);
      const isFull = this.jobs.length === this.#rowsMax || this.#bytes > infosBytesMax;
      if (isFull && this.jobs.length > 0) {
        this.next = String(this.#lastSeq);
        return;
      }
      this.jobs.push(info);
      this.#lastSeq = Number(row['seq']);
    }
  }
}

/** Upper bound of the info's bytes in a frame: a UTF-16 unit takes at most three. */
function bytesMaxOf(info: JobInfo): number {
  const { queue, agent, source, errorCode, errorMessage, note, parkKey, tags } = info;
  const texts = [queue, agent, source, errorCode, errorMessage, note, parkKey, ...tags];
  return 256 + texts.reduce((sum, text) => sum + 4 + 3 * text.length, 0);
}
