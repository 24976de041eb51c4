/**
 * Projection of the log into SQLite: a table of all jobs. Records are applied in order and in batches;
 * a batch is one transaction together with its offset. Of several records about one job in a batch
 * usually only the outcome is written.
 */

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { JobInfo } from '../../protocol/index.ts';
import { decodeRecord } from '../state-machine/records/records.ts';
import { changesOf, changingColumns, columns, idCell, infoOf, rowOf } from './columns.ts';
import { applyRecord, type Jobs } from './job-fold.ts';

/** A job that the present batch changes. */
interface Touched {
  readonly seq: number;
  readonly info: JobInfo;
  /** Text in its row; null when it has no row yet. */
  readonly storedText: string | null;
}

/** Jobs held in memory: a record may list a thousand jobs, and a batch has thousands of records. */
const jobsHeldMax = 5_000;

export class Projection {
  readonly #db: DatabaseSync;
  readonly #statements: Statements;
  readonly #jobsHeldMax: number;
  #offset: number;

  /** @param offset the offset in the database */
  constructor(db: DatabaseSync, offset: number, heldMax: number = jobsHeldMax) {
    this.#db = db;
    this.#jobsHeldMax = heldMax;
    this.#statements = prepare(db);
    this.#offset = offset;
  }

  /** Records up to this offset are in the table. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Applies the records that follow, up to offset `upTo`: all of them, or none when it throws.
   * @throws Error of SQLite, or when a record cannot be read
   */
  apply(records: Iterable<Uint8Array>, upTo: number): void {
    if (upTo <= this.#offset) throw new Error(`records up to ${upTo} come after ${this.#offset}`);
    this.#db.exec('BEGIN');
    try {
      let batch = new Batch(this.#statements);
      for (const record of records) {
        applyRecord(batch, decodeRecord(record));
        if (batch.size < this.#jobsHeldMax) continue;
        batch.write();
        batch = new Batch(this.#statements);
      }
      batch.write();
      this.#statements.progress.run(upTo);
      this.#db.exec('COMMIT');
    } catch (error) {
      // SQLite has rolled back by itself after some errors, such as a full disk.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
    this.#offset = upTo;
  }
}

interface Statements {
  readonly find: StatementSync;
  readonly insert: StatementSync;
  readonly update: StatementSync;
  readonly remove: StatementSync;
  readonly addTag: StatementSync;
  readonly removeTag: StatementSync;
  readonly setWords: StatementSync;
  readonly removeWords: StatementSync;
  readonly progress: StatementSync;
}

function prepare(db: DatabaseSync): Statements {
  const names = Object.keys(columns);
  const marks = names.map(() => '?').join(', ');
  const changes = changingColumns.map((name) => `${name} = ?`).join(', ');
  return {
    find: db.prepare('SELECT * FROM jobs WHERE id = ?'),
    insert: db.prepare(`INSERT INTO jobs (seq, ${names.join(', ')}) VALUES (?, ${marks})`),
    update: db.prepare(`UPDATE jobs SET ${changes} WHERE seq = ?`),
    remove: db.prepare('DELETE FROM jobs WHERE seq = ?'),
    addTag: db.prepare('INSERT INTO tags VALUES (?, ?)'),
    removeTag: db.prepare('DELETE FROM tags WHERE tag = ? AND seq = ?'),
    setWords: db.prepare(
      'INSERT OR REPLACE INTO words (rowid, source, note, error) VALUES (?, ?, ?, ?)',
    ),
    removeWords: db.prepare('DELETE FROM words WHERE rowid = ?'),
    progress: db.prepare('UPDATE progress SET log_offset = ?'),
  };
}

/** Jobs of one transaction: read when first needed, written at the end. */
class Batch implements Jobs {
  readonly #statements: Statements;
  /** By id; null for a job that is unknown or removed. */
  readonly #touched = new Map<string, Touched | null>();
  readonly #removed: Touched[] = [];

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Jobs that it holds. */
  get size(): number {
    return this.#touched.size;
  }

  get(id: string): JobInfo | undefined {
    return this.#find(id)?.info;
  }

  put(seq: number, info: JobInfo): void {
    const known = this.#find(info.id);
    if (known !== null && known.seq !== seq) this.remove(info.id);
    const storedText = known?.seq === seq ? known.storedText : null;
    this.#touched.set(info.id, { seq, info, storedText });
  }

  remove(id: string): void {
    const known = this.#find(id);
    if (known === null) return;
    if (known.storedText !== null) this.#removed.push(known);
    this.#touched.set(id, null);
  }

  write(): void {
    // First, because a removed id may have been accepted again.
    for (const job of this.#removed) this.#delete(job);
    for (const job of this.#touched.values()) {
      if (job === null) continue;
      if (job.storedText === null) this.#insert(job);
      else this.#statements.update.run(...changesOf(job.info), job.seq);
      if (job.storedText !== textOf(job.info)) this.#setWords(job);
    }
  }

  #find(id: string): Touched | null {
    const touched = this.#touched.get(id);
    if (touched !== undefined) return touched;
    const row = this.#statements.find.get(idCell(id));
    const found = row === undefined ? null : stored(Number(row['seq']), infoOf(row));
    this.#touched.set(id, found);
    return found;
  }

  #insert({ seq, info }: Touched): void {
    this.#statements.insert.run(seq, ...rowOf(info));
    for (const tag of new Set(info.tags)) this.#statements.addTag.run(tag, seq);
  }

  #delete({ seq, info }: Touched): void {
    this.#statements.remove.run(seq);
    this.#statements.removeWords.run(seq);
    for (const tag of info.tags) this.#statements.removeTag.run(tag, seq);
  }

  #setWords({ seq, info }: Touched): void {
    const { source, note, errorCode, errorMessage } = info;
    this.#statements.setWords.run(seq, source, note, `${errorCode} ${errorMessage}`);
  }
}

function stored(seq: number, info: JobInfo): Touched {
  return { seq, info, storedText: textOf(info) };
}

/** The indexed text; the index entry is rewritten only when it changes. */
function textOf({ source, note, errorCode, errorMessage }: JobInfo): string {
  return [source, note, errorCode, errorMessage].join('\0');
}
