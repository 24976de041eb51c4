/**
 * Answers searches, newest job first. The order is that of acceptance, which never changes, and so
 * is the cursor: while jobs change between two pages, none comes twice and none that fits all the
 * time is left out. Work per page is bounded: a page may be short and still have a next one.
 */

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type JobInfo, limits, type Message } from '../../protocol/index.ts';
import { type Cell, infoOf } from './columns.ts';
import { infoAt } from './job-fold.ts';
import {
  cursorOf,
  narrowOf,
  type Question,
  rowsOf,
  type SearchFilter,
  searchQueryOf,
  walkThrough,
} from './search-query.ts';

/** What time it is, and how long one search may take. */
export interface SearchClock {
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
  /** When so much time has gone the page ends, short if need be. */
  readonly budgetMs: number;
}

/** Most bytes of infos in one frame: no client may refuse a frame that holds one job. */
const infosBytesMax = limits.jobBodyBytesMax;

/** Candidates up to here are looked up one by one; with more, walking in order is as good. */
const narrowSeqsMax = 5_000;

/** Acceptance numbers that the first look at the table spans; each one after it twice as many. */
const spanFirst = 10_000;

/** A page of an answer, without the offset that the table has reached. */
export type Page = Omit<Message<'SearchOk'>, 'offset'>;

/**
 * The jobs that meet all conditions of the filter.
 * @throws AiqError `BAD_REQUEST` when a condition makes no sense
 */
export function search(db: DatabaseSync, filter: SearchFilter, clock: SearchClock): Page {
  const below = cursorOf(filter.after);
  const rows = rowsOf(filter.limit);
  const nowMs = clock.wallMs();
  const question = narrowed(db, filter, nowMs);
  const { oldest, newest } = bounds(db);
  const page = new PageBuilder(rows, nowMs);
  const statement = prepare(db, question);
  const deadlineMs = clock.monotonicMs() + clock.budgetMs;
  let high = Math.min(below, newest + 1);
  let span = question.walk.isShort ? Number.POSITIVE_INFINITY : spanFirst;
  for (; high > oldest; span *= 2) {
    const low = Math.max(oldest, high - span);
    page.fill(statement.iterate(...cellsOf(question, low, high, page.room)));
    if (page.next !== null) return { jobs: page.jobs, next: page.next };
    high = low;
    if (clock.monotonicMs() >= deadlineMs) break;
  }
  return { jobs: page.jobs, next: high > oldest ? String(high) : '' };
}

/** The question, with the candidates found beforehand when a narrow condition leaves only few. */
function narrowed(db: DatabaseSync, filter: SearchFilter, nowMs: number): Question {
  const question = searchQueryOf(filter, nowMs);
  if (filter.text !== null) return question;
  for (const { sql, cells } of narrowOf(filter, nowMs)) {
    const found = db.prepare(`SELECT seq FROM (${sql}) LIMIT ?`).all(...cells, narrowSeqsMax + 1);
    if (found.length > narrowSeqsMax) continue;
    return { ...question, walk: walkThrough(found.map(({ seq }) => Number(seq))) };
  }
  return question;
}

/** Acceptance numbers of the oldest and the newest job; an empty table has none. */
function bounds(db: DatabaseSync): { oldest: number; newest: number } {
  const edge = (order: string): number =>
    Number(db.prepare(`SELECT seq FROM jobs ORDER BY seq ${order} LIMIT 1`).get()?.['seq'] ?? 0);
  return { oldest: edge('ASC'), newest: edge('DESC') };
}

function prepare(db: DatabaseSync, { walk, conditions }: Question): StatementSync {
  const all = [walk.first, { sql: `${walk.key} >= ? AND ${walk.key} < ?` }, ...conditions];
  return db.prepare(
    `SELECT jobs.* FROM ${walk.from} WHERE ${all.map(({ sql }) => sql).join(' AND ')}
      ORDER BY ${walk.key} DESC LIMIT ?`,
  );
}

function cellsOf({ walk, conditions }: Question, low: number, high: number, rows: number): Cell[] {
  return [...walk.first.cells, low, high, ...conditions.flatMap(({ cells }) => cells), rows];
}

/** Takes rows until the page is full, in rows or in bytes. */
class PageBuilder {
  readonly jobs: JobInfo[] = [];
  /** The cursor of the next page, once a job was found that has no place on this one. */
  next: string | null = null;
  readonly #rowsMax: number;
  readonly #nowMs: number;
  #bytes = 0;
  #lastSeq = 0;

  constructor(rowsMax: number, nowMs: number) {
    this.#rowsMax = rowsMax;
    this.#nowMs = nowMs;
  }

  /** Rows that are worth reading: one more than fit shows that there is a next page. */
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

/** No fewer bytes than the info takes in a frame: UTF-16 units take at most three each. */
function bytesMaxOf(info: JobInfo): number {
  const { queue, agent, source, errorCode, errorMessage, note, parkKey, tags } = info;
  const texts = [queue, agent, source, errorCode, errorMessage, note, parkKey, ...tags];
  return 256 + texts.reduce((sum, text) => sum + 4 + 3 * text.length, 0);
}
