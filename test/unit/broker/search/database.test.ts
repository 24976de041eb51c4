/** Opening the file: what is continued, and what is made again from the log. */

import { copyFileSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { needsRebuild, openDatabase } from '../../../../core/broker/search/database.ts';
import { Projection } from '../../../../core/broker/search/projection.ts';
import { encodeRecord } from '../../../../core/broker/state-machine/records/records.ts';
import { enqueued } from './model.ts';

const log = { logId: 'log-1', firstOffset: 1, durableOffset: 10 };
let dir: string;
let file: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'aiq-history-'));
  file = join(dir, 'history.db');
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A file that holds the records up to offset 7, closed. */
function fileUpTo7(): void {
  const { db } = openDatabase(file, log);
  new Projection(db, 0).apply([encodeRecord(enqueued(1))], 7);
  db.close();
}

/** Opens the file and tells what was found. */
function open(given: Partial<typeof log> = {}) {
  const { db, offset, rebuiltBecause } = openDatabase(file, { ...log, ...given });
  const jobs = db.prepare('SELECT count(*) AS n FROM jobs').get()?.['n'];
  db.close();
  return { offset, rebuiltBecause, jobs };
}

test('a new file is empty and nobody else may read it', () => {
  expect(open()).toEqual({ offset: 0, rebuiltBecause: null, jobs: 0 });
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('a file of this log is continued where it ended', () => {
  fileUpTo7();
  expect(open()).toEqual({ offset: 7, rebuiltBecause: null, jobs: 1 });
  expect(open({ firstOffset: 8, durableOffset: 7 })).toMatchObject({ offset: 7 });
});

test('a file whose process was killed is continued', () => {
  const { db } = openDatabase(file, log);
  new Projection(db, 0).apply([encodeRecord(enqueued(1))], 7);
  const copy = join(dir, 'copy.db');
  for (const suffix of ['', '-wal']) copyFileSync(`${file}${suffix}`, `${copy}${suffix}`);
  db.close();
  file = copy;
  expect(open()).toEqual({ offset: 7, rebuiltBecause: null, jobs: 1 });
});

test('a file whose newest transaction was half written goes back to the one before', () => {
  const { db } = openDatabase(file, log);
  const projection = new Projection(db, 0);
  projection.apply([encodeRecord(enqueued(1))], 7);
  const whole = statSync(`${file}-wal`).size;
  projection.apply([encodeRecord(enqueued(2))], 8);
  const copy = join(dir, 'copy.db');
  for (const suffix of ['', '-wal']) copyFileSync(`${file}${suffix}`, `${copy}${suffix}`);
  db.close();
  truncateSync(`${copy}-wal`, whole + 5000);
  file = copy;
  expect(open()).toEqual({ offset: 7, rebuiltBecause: null, jobs: 1 });
});

test.each([
  ['another log', { logId: 'log-2' }, 'it belongs to another log'],
  ['ahead of the log', { durableOffset: 6 }, 'it is ahead of the log'],
  ['behind what the log still has', { firstOffset: 9 }, /dropped records/],
])('a file of %s is made again', (_what, given, reason) => {
  fileUpTo7();
  const expected =
    reason instanceof RegExp ? expect.stringMatching(reason) : expect.stringContaining(reason);
  expect(open(given)).toEqual({ offset: 0, rebuiltBecause: expected, jobs: 0 });
  expect(open(given)).toEqual({ offset: 0, rebuiltBecause: null, jobs: 0 });
});

test.each([
  ['no database', () => writeFileSync(file, 'x'.repeat(10_000))],
  ['cut short', () => truncateSync(file, 5_000)],
  ['without its tables', () => damage('DROP TABLE jobs; DROP TABLE progress')],
  ['without its offset', () => damage('DELETE FROM progress')],
  ['of another version', () => damage('PRAGMA user_version = 99')],
  ['of another program', () => damage('PRAGMA user_version = 0')],
])('a file that is %s is made again', (_what, spoil) => {
  fileUpTo7();
  spoil();
  expect(open()).toEqual({ offset: 0, rebuiltBecause: expect.any(String), jobs: 0 });
});

function damage(sql: string): void {
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
}

test('a file that cannot be had is no reason to throw anything away', () => {
  const attempt = (): unknown => openDatabase(join(dir, 'missing', 'history.db'), log);
  expect(attempt).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  const full = Object.assign(new Error('full'), { errcode: 13 });
  const corrupt = Object.assign(new Error('corrupt'), { errcode: 11 | (1 << 8) });
  expect([full, corrupt, new Error('a bug')].map(needsRebuild)).toEqual([false, true, true]);
});
