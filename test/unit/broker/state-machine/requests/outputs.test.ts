/** Files of results: real with the ack or not at all, unwritten until a consumer says otherwise. */

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { decodeRecord } from '../../../../../core/broker/state-machine/records/records.ts';
import { SegmentSummary } from '../../../../../core/broker/state-machine/records/segment-summary.ts';
import type { LeaseToken, Message, Output } from '../../../../../core/protocol/index.ts';
import { checkedJob, Driver, idOf, testOptions } from '../driver.ts';

const inline = (text: string) => ({ inline: Buffer.from(text), blob: null });

const outputOf = (more: Partial<Output> = {}): Output => ({
  dir: '/out',
  overwrite: 'number',
  replaces: null,
  files: [{ path: 'a.md', content: inline('text') }],
  provenance: '{"model":"m"}',
  ...more,
});

function leased(driver: Driver, id = 1): LeaseToken {
  driver.enqueue(1, [checkedJob({ id })]);
  driver.subscribe(1, 1);
  const token = driver.deliveries(1).at(-1)!.token;
  driver.subscribe(1, 0);
  return token;
}

function opened(): Driver {
  const driver = new Driver();
  driver.open(1);
  return driver;
}

const ask = <N extends 'Output' | 'Unwritten' | 'Folders' | 'Written'>(
  driver: Driver,
  name: N,
  fields: Message<N>,
  connection = 1,
) => driver.request(connection, name, fields);

const unwritten = (driver: Driver, after = 0, limit = 100, connection = 1) =>
  ask(driver, 'Unwritten', { dir: '/out', after, limit }, connection) as Message<'UnwrittenOk'>;

test('come with the ack in one record, and are there after a restart or neither is', () => {
  const driver = opened();
  const token = leased(driver);
  const records = driver.log.length;
  const output = outputOf();
  expect(driver.settle(1, token, 'ack', { output })).toMatchObject({ code: 0, state: 'done' });
  expect(driver.log.slice(records).map((record) => decodeRecord(record).kind)).toEqual([
    'leaseEnded',
  ]);
  expect(driver.infoOf(1)).toMatchObject({ output: 'unwritten', resultBytes: 4 });
  expect(ask(driver, 'Output', { id: idOf(1) })).toMatchObject({
    output: { dir: '/out', files: [{ path: 'a.md' }], provenance: '{"model":"m"}' },
  });
  const after = driver.restarted();
  after.open(2);
  expect(unwritten(after, 0, 100, 2).jobs).toEqual([{ id: idOf(1), held: false }]);
  const before = new Driver(driver.log.slice(0, records), testOptions, driver.now);
  before.open(2);
  expect(unwritten(before, 0, 100, 2).jobs).toEqual([]);
});

test("of a stale settle are nobody's: nothing is to be written", () => {
  const driver = opened();
  const token = leased(driver);
  driver.advance(testOptions.leaseMs + 1);
  expect(driver.settle(1, token, 'ack', { output: outputOf() })).not.toMatchObject({ code: 0 });
  expect(unwritten(driver).jobs).toEqual([]);
  expect(ask(driver, 'Folders', {})).toEqual({ folders: [] });
});

test('are unwritten until it is said that they are written, over restarts and compaction', () => {
  const driver = opened();
  for (const id of [1, 2, 3]) {
    driver.settle(1, leased(driver, id), 'ack', { output: outputOf(), note: `{"n":${id}}` });
  }
  expect(ask(driver, 'Folders', {})).toEqual({ folders: [{ dir: '/out', unwritten: 3 }] });
  const jobs = [
    { id: idOf(1), written: true, note: '' },
    { id: idOf(2), written: true, note: '{"renamed":1}' },
    { id: idOf(3), written: false, note: '{"notWritten":"ENOSPC"}' },
    { id: idOf(9), written: true, note: '' },
  ];
  const records = driver.log.length;
  ask(driver, 'Written', { jobs });
  ask(driver, 'Written', { jobs: jobs.slice(0, 2) });
  // One record for a frame, and none for what is known.
  expect(driver.log.length).toBe(records + 1);
  const expectSo = (of: Driver, connection = 1): void => {
    expect(unwritten(of, 0, 100, connection).jobs.map(({ id }) => id)).toEqual([idOf(3)]);
    expect(of.infoOf(1)).toMatchObject({ output: 'written', note: '{"n":1}' });
    expect(of.infoOf(2)).toMatchObject({ output: 'written', note: '{"renamed":1}' });
    expect(of.infoOf(3)).toMatchObject({ output: 'unwritten', note: '{"notWritten":"ENOSPC"}' });
  };
  expectSo(driver);
  const restarted = driver.restarted();
  restarted.open(1);
  expectSo(restarted);
  const upTo = driver.log.length;
  driver.compact(upTo, 1024 * 1024);
  driver.drop(upTo);
  expectSo(driver);
  const compacted = driver.restarted();
  compacted.open(1);
  expectSo(compacted);
  ask(compacted, 'Written', { jobs: [{ id: idOf(3), written: true, note: '' }] });
  expect(unwritten(compacted).jobs).toEqual([]);
  expect(compacted.infoOf(3)).toMatchObject({ output: 'written' });
});

test('are the same state from the short form of their records', () => {
  const driver = opened();
  for (const id of [1, 2]) driver.settle(1, leased(driver, id), 'ack', { output: outputOf() });
  ask(driver, 'Written', { jobs: [{ id: idOf(1), written: false, note: '{"why":1}' }] });
  ask(driver, 'Written', { jobs: [{ id: idOf(1), written: true, note: '' }] });
  const summary = new SegmentSummary();
  driver.log.forEach((bytes, index) => summary.add({ offset: index + 1, bytes }));
  const kinds = [...summary.finish()].map(({ bytes }) => decodeRecord(bytes));
  expect(kinds.flatMap((record) => (record.kind === 'projected' ? record.jobs : []))).toEqual([
    { id: idOf(1), written: false, note: '{"why":1}' },
    { id: idOf(1), written: true, note: '' },
  ]);
  const ends = kinds.flatMap((record) => (record.kind === 'leaseEnded' ? record : []));
  expect(ends.map(({ output }) => output)).toMatchObject([
    { dir: '/out', files: [], provenance: '' },
    { dir: '/out', files: [], provenance: '' },
  ]);
});

test('are listed in pages, and the one that settled them is known while it is connected', () => {
  const driver = opened();
  const ids = [1, 2, 3, 4, 5];
  for (const id of ids) driver.settle(1, leased(driver, id), 'ack', { output: outputOf() });
  const found: string[] = [];
  let after = 0;
  do {
    const page = unwritten(driver, after, 2);
    expect(page.jobs.every(({ held }) => held)).toBe(true);
    found.push(...page.jobs.map(({ id }) => id));
    after = page.next;
  } while (after !== 0);
  expect(found).toEqual(ids.map(idOf));
  driver.open(2);
  driver.close(1);
  expect(unwritten(driver, 0, 100, 2).jobs.some(({ held }) => held)).toBe(false);
});

test('keep their blobs until the job is forgotten', () => {
  const driver = new Driver([], { ...testOptions, keepMs: 36_000_000 });
  driver.open(1);
  const content = Buffer.alloc(100, 7);
  const sha256 = new Uint8Array(createHash('sha256').update(content).digest());
  const ref = { sha256, totalBytes: content.length };
  const isThere = (): boolean =>
    'chunk' in (driver.request(1, 'BlobGet', { sha256, offset: 0, bytesMax: 10 }) as object);
  const files = [{ path: 'a.md', content: { inline: null, blob: ref } }];
  const token = leased(driver);
  // What is not stored is referred to by nothing.
  const early = driver.settle(1, token, 'ack', { output: outputOf({ files }) });
  expect(early).toMatchObject({ state: 'leased' });
  driver.request(1, 'BlobPut', { sha256, totalBytes: 100, offset: 0, chunk: content });
  driver.settle(1, token, 'ack', { output: outputOf({ files }) });
  expect(driver.infoOf(1)).toMatchObject({ state: 'done', resultBytes: 100 });
  driver.advance(3_700_000);
  expect(isThere()).toBe(true);
  driver.advance(36_000_000);
  expect(driver.stateOf(1)).toBe('none');
  driver.advance(3_700_000);
  expect(isThere()).toBe(false);
});

test('are refused when they are no output, and the lease is still held', () => {
  const driver = opened();
  const token = leased(driver);
  const many = Array.from({ length: 1001 }, (_, at) => ({ path: `${at}`, content: inline('') }));
  const large = [{ path: 'a', content: inline('x'.repeat(70_000)) }];
  for (const output of [
    outputOf({ dir: 'out' }),
    outputOf({ files: [] }),
    outputOf({ files: many }),
    outputOf({ files: large }),
    outputOf({ provenance: 'x'.repeat(1024 * 1024) }),
  ]) {
    expect(driver.settle(1, token, 'ack', { output })).toMatchObject({ state: 'leased' });
  }
  const result = inline('both');
  expect(driver.settle(1, token, 'ack', { output: outputOf(), result })).toMatchObject({
    state: 'leased',
  });
  expect(driver.settle(1, token, 'retry', { output: outputOf() })).toMatchObject({
    state: 'leased',
  });
  expect(driver.settle(1, token, 'retry', { prompts: inline('sent') })).toMatchObject({ code: 0 });
  expect(ask(driver, 'Output', { id: idOf(1) })).toMatchObject({
    output: null,
    prompts: { blob: null },
  });
});

test('prompts are those of the newest end that has some, over restarts and compaction', () => {
  const driver = opened();
  const token = leased(driver);
  driver.settle(1, token, 'retry', { prompts: inline('sent first') });
  driver.subscribe(1, 1);
  const again = driver.deliveries(1).at(-1)!.token;
  driver.subscribe(1, 0);
  driver.settle(1, again, 'returned');
  const promptsOf = (of: Driver): string => {
    const { prompts } = ask(of, 'Output', { id: idOf(1) }) as Message<'OutputOk'>;
    return Buffer.from(prompts?.inline ?? '').toString();
  };
  expect(promptsOf(driver)).toBe('sent first');
  const restarted = driver.restarted();
  restarted.open(1);
  expect(promptsOf(restarted)).toBe('sent first');
  const upTo = driver.log.length;
  driver.compact(upTo, 1024 * 1024);
  driver.drop(upTo);
  const compacted = driver.restarted();
  compacted.open(1);
  expect(promptsOf(compacted)).toBe('sent first');
  driver.subscribe(1, 1);
  const last = driver.deliveries(1).at(-1)!.token;
  driver.settle(1, last, 'ack', { prompts: inline('sent last'), output: outputOf() });
  expect(promptsOf(driver)).toBe('sent last');
});
