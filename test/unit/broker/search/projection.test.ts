/** The projection against a plain map: every record counts once, whatever the batches. */

import type { SQLInputValue } from 'node:sqlite';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldedKinds, isOfInterest } from '../../../../core/broker/search/job-fold.ts';
import { Projection } from '../../../../core/broker/search/projection.ts';
import {
  encodeRecord,
  type LogRecord,
} from '../../../../core/broker/state-machine/records/records.ts';
import type { JobInfo } from '../../../../core/protocol/index.ts';
import { MemoryHistory } from './memory.ts';
import {
  delivered,
  enqueued,
  everything,
  filters,
  idOf,
  leaseEnded,
  Model,
  recordsOf,
  snapshotOf,
  steps,
} from './model.ts';

const batchSizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 });

test('random histories, in random batches, are found as a plain map has them', () => {
  const property = fc.property(
    steps,
    batchSizes,
    filters,
    fc.nat(160),
    (all, sizes, filter, nowMs) => {
      using history = new MemoryHistory();
      const model = new Model();
      const records = [...recordsOf(all, model)];
      history.applyAll(records, sizes);
      expect(history.pages(everything, nowMs)).toEqual(model.search(everything, nowMs));
      expect(history.pages(filter, nowMs)).toEqual(model.search(filter, nowMs));
      expect(history.leftovers()).toEqual({ words: model.jobs.size, tags: tagRows(model) });
    },
  );
  fc.assert(property, { numRuns: 60 });
});

function tagRows(model: Model): number {
  return [...model.jobs.values()].reduce((sum, { info }) => sum + new Set(info.tags).size, 0);
}

test('a rebuild from a log whose oldest records were dropped makes the same jobs', () => {
  const property = fc.property(steps, fc.nat(119), batchSizes, (all, cut, sizes) => {
    using incremental = new MemoryHistory();
    using rebuilt = new MemoryHistory();
    const model = new Model();
    const records = [...recordsOf(all, model)];
    // Compaction says every job again and then drops what comes before `cut`.
    const restated = [...model.jobs.values()].map(({ seq, info }) => snapshotOf(seq, info));
    incremental.applyAll([...records, ...restated], sizes);
    rebuilt.applyAll([...records.slice(cut), ...restated], sizes);
    expect(rebuilt.pages(everything, 200)).toEqual(incremental.pages(everything, 200));
    expect(rebuilt.leftovers()).toEqual(incremental.leftovers());
  });
  fc.assert(property, { numRuns: 40 });
});

test('a job that is forgotten and accepted again in one batch is the new one', () => {
  using history = new MemoryHistory();
  history.applyAll([enqueued(1, { source: 'old.txt', tags: ['old'] })], [1]);
  const again = enqueued(1, { source: 'new.txt', tags: ['new'] }, { seq: 9 });
  history.applyAll([{ kind: 'forgotten', ids: idsOf(history) }, again], [2]);
  expect(history.find({ text: 'old' })).toEqual([]);
  expect(history.find({ tag: 'old' })).toEqual([]);
  expect(history.find({ text: 'new', tag: 'new' })).toHaveLength(1);
});

test('what a job was accepted and settled with is found in full', () => {
  using history = new MemoryHistory();
  const usage = { calls: 2, inputTokens: 30, outputTokens: 4, costMicros: 5, estimated: true };
  const blob = { sha256: new Uint8Array(32), totalBytes: 70_000 };
  history.applyAll(
    [
      enqueued(1, {
        bodyRef: { ...blob, totalBytes: 1_000_000 },
        body: new Uint8Array(0),
        source: 'a\0b "ö" 日本',
        tags: ['x', 'y'],
        priority: 'lowest',
        expiresAtMs: 99,
      }),
      delivered(1),
      leaseEnded(1, { note: '{}', usage, result: { inline: null, blob }, attempts: 3 }),
    ],
    [1],
  );
  expect(history.find({})).toEqual([
    expect.objectContaining<Partial<JobInfo>>({
      source: 'a\0b "ö" 日本',
      tags: ['x', 'y'],
      priority: 'lowest',
      bodyBytes: 1_000_000,
      resultBytes: 70_000,
      expiresAtMs: 99,
      attempts: 3,
      note: '{}',
      usage,
    }),
  ]);
});

test('every kind of record that changes jobs is sent to the thread, and no other', () => {
  const model = new Model();
  model.accept(1, 1, {}, [1, 0]);
  const info = [...model.jobs.values()][0]?.info as JobInfo;
  const changing: LogRecord[] = [
    enqueued(1),
    delivered(1),
    leaseEnded(1),
    { kind: 'acked', session: idOf(1), ids: [], atMs: 1 },
    { kind: 'cancelled', ids: [], atMs: 1 },
    { kind: 'retried', ids: [], atMs: 1 },
    { kind: 'signalled', ids: [], atMs: 1 },
    { kind: 'expired', ids: [], atMs: 1 },
    { kind: 'parked', ids: [], key: 'k', atMs: 1 },
    { kind: 'forgotten', ids: [] },
    snapshotOf(1, info),
    { kind: 'projected', jobs: [], atMs: 1 },
  ];
  expect(changing.map(({ kind }) => kind).sort()).toEqual([...foldedKinds].sort());
  for (const record of changing) {
    expect([record.kind, isOfInterest(encodeRecord(record))]).toEqual([record.kind, true]);
  }
  const bulkEnded = encodeRecord({ kind: 'bulkEnded', bulk: 1 });
  expect(isOfInterest(bulkEnded)).toBe(false);
  expect(isOfInterest(new Uint8Array(0))).toBe(false);
});

test('a batch takes effect whole or not at all, and a full disk is no reason to begin anew', () => {
  using history = new MemoryHistory();
  history.applyAll([enqueued(1)], [1]);
  history.db.exec('PRAGMA max_page_count = 40');
  const many = Array.from({ length: 3000 }, (_, index) => enqueued(index + 2, { source: 'text' }));
  expect(() => history.applyAll(many, [3000])).toThrow(/full/);
  expect(history.projection.offset).toBe(1);
  expect(history.find({})).toHaveLength(1);
  history.db.exec('PRAGMA max_page_count = 100000');
  history.applyAll(many, [3000]);
  expect(history.projection.offset).toBe(3001);
  expect(history.find({ text: 'text', limit: 1000 })).toHaveLength(1000);
});

test('a record that cannot be read changes nothing', () => {
  using history = new MemoryHistory();
  const record = encodeRecord(enqueued(1)).slice();
  expect(() => history.projection.apply([record, new Uint8Array([200])], 2)).toThrow(
    /unknown kind/,
  );
  expect(history.find({})).toEqual([]);
  history.projection.apply([record], 2);
  expect(history.find({})).toHaveLength(1);
  expect(() => history.projection.apply([record], 2)).toThrow('come after');
});

test('records that speak of very many jobs are applied without holding all of these', () => {
  using history = new MemoryHistory();
  const { db } = history;
  const ids = Array.from({ length: 9_000 }, (_, number) => idOf(number));
  const accepted = ids.map((_, number) => enqueued(number));
  history.applyAll(accepted, [accepted.length]);
  // A job is held from when it was looked up until it is written.
  let held = 0;
  let most = 0;
  const prepare = db.prepare.bind(db);
  db.prepare = (sql) => {
    const statement = prepare(sql);
    const [get, run] = [statement.get.bind(statement), statement.run.bind(statement)];
    const count = (kind: string, by: number): void => {
      held = sql.startsWith(kind) ? held + by : held;
      most = Math.max(most, held);
    };
    return Object.assign(statement, {
      get(...cells: SQLInputValue[]) {
        count('SELECT', 1);
        return get(...cells);
      },
      run(...cells: SQLInputValue[]) {
        count('UPDATE jobs', -1);
        return run(...cells);
      },
    });
  };
  const records = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((part) => {
    const cancelled = ids.slice(1_000 * part, 1_000 * (part + 1));
    return encodeRecord({ kind: 'cancelled', ids: cancelled, atMs: 5 }).slice();
  });
  const { offset } = history.projection;
  new Projection(db, offset).apply(records, offset + records.length);
  expect(most).toBeGreaterThan(1_000);
  expect(most).toBeLessThanOrEqual(6_000);
  expect(history.find({ states: ['ready'] })).toEqual([]);
});

function idsOf(history: MemoryHistory): string[] {
  return history.find({}).map(({ id }) => id);
}
