/** A history without thread and file: the projection and search on a database in memory. */

import { DatabaseSync } from 'node:sqlite';
import { makeTables } from '../../../../core/broker/search/database.ts';
import { Projection } from '../../../../core/broker/search/projection.ts';
import { type Page, search } from '../../../../core/broker/search/search.ts';
import type { SearchFilter } from '../../../../core/broker/search/search-query.ts';
import {
  encodeRecord,
  type LogRecord,
} from '../../../../core/broker/state-machine/records/records.ts';
import type { JobInfo } from '../../../../core/protocol/index.ts';
import { everything } from './model.ts';

/** Pages after which a search that should have ended is broken off. */
const pagesMax = 1000;

/** So few that many a batch is written in parts. */
const jobsHeldMax = 3;

export class MemoryHistory {
  readonly db: DatabaseSync;
  readonly projection: Projection;

  constructor() {
    this.db = new DatabaseSync(':memory:');
    makeTables(this.db, 'test');
    this.projection = new Projection(this.db, 0, jobsHeldMax);
  }

  [Symbol.dispose](): void {
    this.db.close();
  }

  /** Applies the records in batches of these sizes, again and again. */
  applyAll(records: readonly LogRecord[], sizes: readonly number[]): void {
    for (let at = 0, turn = 0; at < records.length; turn++) {
      const batch = records.slice(at, at + (sizes[turn % sizes.length] ?? 1));
      at += batch.length;
      const encoded = batch.map((record) => encodeRecord(record).slice());
      this.projection.apply(encoded, this.projection.offset + batch.length);
    }
  }

  /** One page; a budget of zero ends it after the first look at the table. */
  page(filter: Partial<SearchFilter>, nowMs = 0, budgetMs = 60_000): Page {
    const clock = { wallMs: () => nowMs, monotonicMs: () => 0, budgetMs };
    return search(this.db, { ...everything, ...filter }, clock);
  }

  find(filter: Partial<SearchFilter>, nowMs = 0): JobInfo[] {
    return this.page(filter, nowMs).jobs;
  }

  /** All pages, one after another. */
  pages(filter: Partial<SearchFilter>, nowMs = 0, budgetMs = 60_000): JobInfo[] {
    const jobs: JobInfo[] = [];
    let after = '';
    for (let count = 0; count < pagesMax; count++) {
      const page = this.page({ ...filter, after }, nowMs, budgetMs);
      jobs.push(...page.jobs);
      if (page.next === '') return jobs;
      after = page.next;
    }
    throw new Error(`the search did not end within ${pagesMax} pages`);
  }

  /** Rows of the tables beside `jobs`: as many as the jobs need, and no more. */
  leftovers(): { words: number; tags: number } {
    const count = (table: string): number =>
      Number(this.db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n']);
    return { words: count('words_docsize'), tags: count('tags') };
  }
}
