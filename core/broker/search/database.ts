/**
 * The database file of the history: its schema, and the decision at each opening whether its content
 * can be continued or is rebuilt from the log.
 *
 * To change the schema, raise `schemaVersion`: an older file is then rebuilt.
 */

import { closeSync, openSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { messageOf } from '../../base/index.ts';
import { columns } from './columns.ts';

const schemaVersion = 2;

/** Pages in memory, in KiB: bounded, whatever the file's size. */
const cacheKib = 4 * 1024;
/** Size to which the write-ahead log is truncated. */
const walBytesKept = 16 * 1024 * 1024;
/** Pages in the write-ahead log before a checkpoint, which costs two disk syncs. */
const checkpointPages = 4000;

const privateFile = 0o600;

/** The log that the file must belong to. */
export interface LogIdentity {
  readonly logId: string;
  /** Offset of the first record that the log still holds. */
  readonly firstOffset: number;
  readonly durableOffset: number;
}

export interface OpenedDatabase {
  readonly db: DatabaseSync;
  /** Everything up to this offset of the log is in it; 0 when it is empty. */
  readonly offset: number;
  /** Why an existing file was discarded; null when it was not, or did not exist. */
  readonly rebuiltBecause: string | null;
}

/**
 * Opens the file, or rebuilds it when it cannot be continued.
 * @throws Error of SQLite or the file system when neither is possible
 */
export function openDatabase(file: string, identity: LogIdentity): OpenedDatabase {
  let reason: string | null;
  try {
    const db = openFile(file);
    try {
      const found = readProgress(db);
      reason = found === null ? null : whyNot(found, identity);
      if (found !== null && reason === null) {
        return { db, offset: found.offset, rebuiltBecause: null };
      }
    } catch (error) {
      db.close();
      throw error;
    }
    db.close();
  } catch (error) {
    if (!needsRebuild(error)) throw error;
    reason = `it is damaged (${messageOf(error)})`;
  }
  return { ...remakeDatabase(file, identity), rebuiltBecause: reason };
}

/** Discards the content of the file, which can be rebuilt from the log. */
export function remakeDatabase(file: string, { logId }: LogIdentity): OpenedDatabase {
  for (const suffix of ['', '-wal', '-shm', '-journal'])
    rmSync(`${file}${suffix}`, { force: true });
  const db = openFile(file);
  try {
    makeTables(db, logId);
  } catch (error) {
    db.close();
    throw error;
  }
  return { db, offset: 0, rebuiltBecause: null };
}

/** Creates the tables of an empty history in one transaction. */
export function makeTables(db: DatabaseSync, logId: string): void {
  db.exec(`BEGIN; ${schema}`);
  db.prepare('INSERT INTO progress VALUES (1, ?, 0)').run(logId);
  db.exec(`PRAGMA user_version = ${schemaVersion}; COMMIT`);
}

/**
 * In WAL mode with `synchronous` NORMAL a power cut loses the newest transactions at most, and the
 * offset in `progress` goes back with them: they are read from the log again.
 */
function openFile(file: string): DatabaseSync {
  // The files that SQLite makes beside it get the same mode.
  closeSync(openSync(file, 'a', privateFile));
  const db = new DatabaseSync(file, { timeout: 2_000 });
  try {
    db.exec(`
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA temp_store = MEMORY;
      PRAGMA trusted_schema = OFF;
      PRAGMA cache_size = -${cacheKib};
      PRAGMA journal_size_limit = ${walBytesKept};
      PRAGMA wal_autocheckpoint = ${checkpointPages};
    `);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

interface Progress {
  readonly version: number;
  readonly logId: string;
  readonly offset: number;
}

/** Null when the file is new. */
function readProgress(db: DatabaseSync): Progress | null {
  const version = db.prepare('PRAGMA user_version').get()?.['user_version'];
  if (version === 0) {
    const tables = db.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.['tables'];
    return tables === 0 ? null : { version, logId: '', offset: 0 };
  }
  if (version !== schemaVersion) return { version: Number(version), logId: '', offset: 0 };
  const row = db.prepare('SELECT log_id, log_offset FROM progress').get();
  const [logId, offset] = [row?.['log_id'], row?.['log_offset']];
  const isWhole = typeof logId === 'string' && typeof offset === 'number';
  return { version: schemaVersion, logId: isWhole ? logId : '', offset: isWhole ? offset : 0 };
}

/** Why what the file holds cannot be continued from this log; null when it can. */
function whyNot(found: Progress, log: LogIdentity): string | null {
  if (found.version !== schemaVersion) return 'another version of aiq made it';
  if (found.logId !== log.logId) return 'it belongs to another log';
  if (found.offset > log.durableOffset) return 'it is ahead of the log';
  // The dropped records may include those that forgot jobs.
  const missesSome = found.offset > 0 && found.offset + 1 < log.firstOffset;
  if (missesSome) return 'the log dropped records that it had not read';
  return null;
}

/** Result codes of SQLite that require a rebuild: ERROR, CORRUPT, CONSTRAINT, NOTADB. */
const codesOfDamage = new Set([1, 11, 19, 26]);

/** True when the file must be rebuilt; false for errors of the disk or the system. */
export function needsRebuild(error: unknown): boolean {
  if (!(error instanceof Error)) return true;
  if ('errcode' in error) return codesOfDamage.has(Number(error.errcode) & 0xff);
  return !('syscall' in error);
}

const jobColumns = Object.entries(columns)
  .map(([name, { type }]) => `${name} ${type} NOT NULL`)
  .join(', ');

/** Index names are used in `search.ts`, which says by which of them each question is answered. */
const schema = `
  CREATE TABLE progress (one INTEGER PRIMARY KEY CHECK (one = 1), log_id TEXT NOT NULL,
    log_offset INTEGER NOT NULL) STRICT;
  CREATE TABLE jobs (seq INTEGER PRIMARY KEY, ${jobColumns}) STRICT;
  CREATE UNIQUE INDEX by_id ON jobs (id);
  CREATE INDEX by_queue ON jobs (queue, state, seq);
  CREATE INDEX by_state ON jobs (state, seq);
  CREATE INDEX by_agent ON jobs (agent, seq);
  CREATE INDEX by_error ON jobs (error_code, seq) WHERE error_code <> '';
  CREATE INDEX by_change ON jobs (changed_at_ms);
  CREATE INDEX by_due ON jobs (due_at_ms) WHERE due_at_ms > 0;
  CREATE INDEX by_cost ON jobs (cost_micros) WHERE cost_micros > 0;
  CREATE TABLE tags (tag TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (tag, seq))
    STRICT, WITHOUT ROWID;
  CREATE VIRTUAL TABLE words USING fts5 (source, note, error, content = '',
    contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2");
`;
