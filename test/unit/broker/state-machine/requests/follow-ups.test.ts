/** What comes with a settle: follow-up jobs and results, in one record with the ack or not at all. */

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decodeRecord } from '../../../../../core/broker/state-machine/records/records.ts';
import {
  type ErrorCode,
  errorCodes,
  jobFields,
  type LeaseToken,
  limits,
  type Message,
  noUsage,
} from '../../../../../core/protocol/index.ts';
import { bytesOf, checkedJob, Driver, idOf, testOptions } from '../driver.ts';

function leased(): { driver: Driver; token: LeaseToken } {
  const driver = new Driver();
  driver.open(1);
  driver.enqueue(1, [checkedJob()]);
  driver.subscribe(1, 1);
  const [delivery] = driver.deliveries(1);
  driver.subscribe(1, 0);
  return { driver, token: delivery!.token };
}

const follow = (id: number, digest = 7, more = {}): Uint8Array =>
  bytesOf(checkedJob({ id, digest, more }));

describe('follow-up jobs', () => {
  test('come with the ack in one record, and are there after a restart or neither is', () => {
    const { driver, token } = leased();
    const records = driver.log.length;
    const enqueue = [follow(2), follow(3, 7, { delayMs: 500 })];
    expect(driver.settle(1, token, 'ack', { enqueue })).toMatchObject({ code: 0, state: 'done' });
    expect(driver.log.slice(records).map((record) => decodeRecord(record).kind)).toEqual([
      'leaseEnded',
    ]);
    const states = (of: Driver): string[] => [1, 2, 3].map((id) => of.stateOf(id));
    expect(states(driver.restarted())).toEqual(['done', 'ready', 'delayed']);
    const before = new Driver(driver.log.slice(0, records), testOptions, driver.now);
    expect(states(before)).toEqual(['leased', 'none', 'none']);
  });

  test('that exist already are fine, and a repeated settle brings none twice', () => {
    const { driver, token } = leased();
    driver.enqueue(1, [checkedJob({ id: 2 })]);
    const enqueue = [follow(2), follow(3), follow(3)];
    expect(driver.settle(1, token, 'ack', { enqueue })).toMatchObject({ code: 0, state: 'done' });
    const records = driver.log.length;
    expect(driver.settle(1, token, 'ack', { enqueue })).toMatchObject({ code: 0, state: 'done' });
    expect(driver.log.length).toBe(records);
    expect(driver.restarted().machine.jobCount).toBe(3);
  });

  test('of which one is refused refuse the whole settle, and the lease is still held', () => {
    const { driver, token } = leased();
    driver.enqueue(1, [checkedJob({ id: 2 })]);
    const settings = { jobsMax: 1, bytesMax: 0, keepMs: 0, keepJobs: 0 };
    driver.request(1, 'ConfigureQueue', { queue: 'small', ...settings });
    const missing = { sha256: new Uint8Array(32), totalBytes: 9 };
    const small = [5, 6].map((id) => bytesOf(checkedJob({ id, queue: 'small' })));
    const cases: [Uint8Array[], number][] = [
      [[follow(3), follow(2, 8)], errorCodes.CONFLICT.number],
      [[follow(3), follow(3, 8)], errorCodes.CONFLICT.number],
      [[follow(3), ...small], errorCodes.QUEUE_FULL.number],
      [
        [follow(3), follow(4, 7, { body: new Uint8Array(0), bodyRef: missing })],
        errorCodes.NO_BLOB.number,
      ],
    ];
    const records = driver.log.length;
    for (const [enqueue, code] of cases) {
      expect(driver.settle(1, token, 'ack', { enqueue })).toMatchObject({ code, state: 'leased' });
    }
    expect(driver.log.length).toBe(records);
    expect(driver.stateOf(3)).toBe('none');
    const result = { inline: null, blob: missing };
    expect(driver.settle(1, token, 'ack', { result }).code).toBe(errorCodes.NO_BLOB.number);
    expect(driver.settle(1, token)).toMatchObject({ code: 0, state: 'done' });
  });

  test('that are damaged, no job or not served refuse their own item, and its neighbours are taken', () => {
    const damaged = Uint8Array.from(follow(9), (byte, at) => (at === 9 ? byte ^ 1 : byte));
    const withTag = (tag: number): Uint8Array => {
      const field = Uint8Array.of(tag >> 8, tag & 255, 0, 0, 0, 0);
      const fields = Buffer.concat([follow(9).subarray(4), field]);
      const bytes = Buffer.concat([new Uint8Array(4), fields]);
      bytes.writeUInt32BE(crc32(fields));
      return new Uint8Array(bytes);
    };
    const cases: [Uint8Array, ErrorCode][] = [
      [damaged, 'CHECKSUM'],
      [new Uint8Array(3), 'CHECKSUM'],
      [new Uint8Array(limits.jobBytesMax + 1), 'JOB_TOO_LARGE'],
      [withTag(0x8777), 'UNSUPPORTED'],
      [withTag(jobFields.queue.tag & 0x7fff), 'BAD_JOB'],
    ];
    for (const [bytes, code] of cases) {
      const driver = new Driver();
      driver.open(1);
      driver.enqueue(1, [checkedJob({ id: 1 }), checkedJob({ id: 2 })]);
      driver.subscribe(1, 2);
      const tokens = driver.deliveries(1).map(({ token }) => token);
      driver.subscribe(1, 0);
      const nothing = { errorCode: '', errorMessage: '', note: '', usage: noUsage };
      const ack = {
        ...nothing,
        outcome: 'ack',
        delayMs: 0,
        result: null,
        output: null,
        prompts: null,
        park: null,
      } as const;
      const items = tokens.map((token, index) => {
        return { ...ack, token, enqueue: index === 0 ? [follow(8), bytes] : [follow(7)] };
      });
      const answer = driver.request(1, 'Settle', { items }) as Message<'SettleOk'>;
      expect(answer.items).toEqual([
        {
          code: errorCodes[code].number,
          state: 'leased',
          message: expect.stringContaining('follow-up job'),
        },
        { code: 0, state: 'done', message: '' },
      ]);
      expect([1, 2, 7, 8].map((id) => driver.stateOf(id))).toEqual([
        'leased',
        'done',
        'ready',
        'none',
      ]);
      expect(driver.settle(1, tokens[0]!).code).toBe(0);
    }
  });

  test('are at most a thousand in one Settle; items behind that are refused alone', () => {
    const driver = new Driver();
    driver.open(1);
    driver.enqueue(1, [checkedJob({ id: 1 }), checkedJob({ id: 2 })]);
    driver.subscribe(1, 2);
    const tokens = driver.deliveries(1).map(({ token }) => token);
    const enqueue = Array.from({ length: limits.batchItemsMax }, (_, index) => follow(100 + index));
    const common = {
      outcome: 'ack',
      delayMs: 0,
      errorCode: '',
      errorMessage: '',
      note: '',
    } as const;
    const rest = {
      ...common,
      usage: noUsage,
      result: null,
      output: null,
      prompts: null,
      park: null,
    };
    const items = [
      { token: tokens[0]!, ...rest, enqueue },
      { token: tokens[1]!, ...rest, enqueue: [follow(9000)] },
    ];
    const answer = driver.request(1, 'Settle', { items }) as Message<'SettleOk'>;
    expect(answer.items.map(({ code }) => code)).toEqual([0, errorCodes.TOO_MANY_ITEMS.number]);
    expect([driver.stateOf(2), driver.stateOf(9000)]).toEqual(['leased', 'none']);
  });

  test('and results come with an ack alone, also when the job is to be parked', () => {
    const { driver, token } = leased();
    const records = driver.log.length;
    const missing = { sha256: new Uint8Array(32), totalBytes: 9 };
    const inline = { inline: new Uint8Array(1), blob: null };
    const refused = { code: errorCodes.BAD_REQUEST.number, state: 'leased' };
    for (const outcome of ['retry', 'throttled', 'returned', 'crashed', 'final'] as const) {
      for (const park of outcome === 'final' ? [null] : [null, 'k']) {
        for (const more of [
          { enqueue: [follow(2)] },
          { result: inline },
          { result: { inline: null, blob: missing } },
        ]) {
          expect(driver.settle(1, token, outcome, { park, ...more })).toMatchObject(refused);
        }
      }
    }
    expect(driver.log.length).toBe(records);
    expect(driver.stateOf(2)).toBe('none');
    expect(driver.settle(1, token, 'retry', { park: 'k' })).toMatchObject({ state: 'parked' });
  });

  test('are delivered with their own bytes, also when they were many of one record', () => {
    const { driver, token } = leased();
    const enqueue = [2, 3, 4].map((id) => bytesOf(checkedJob({ id, body: `body ${id}` })));
    driver.settle(1, token, 'ack', { enqueue });
    driver.subscribe(1, 9);
    expect(driver.deliveries(1).map(({ job }) => [...job])).toEqual(
      enqueue.map((bytes) => [...bytes]),
    );
  });
});

test('a result keeps its blob alive until the job is forgotten, an input until the job is over', () => {
  const content = new Uint8Array(10).fill(4);
  const sha256 = Uint8Array.from(createHash('sha256').update(content).digest());
  const blob = { sha256, totalBytes: 10 };
  const hourMs = 3_600_000;
  let driver = new Driver([], { ...testOptions, keepMs: 100 * hourMs });
  const isThere = (): boolean => {
    const got = driver.request(1, 'BlobGet', { sha256, offset: 0, bytesMax: 10 });
    return 'chunk' in (got as object);
  };
  driver.open(1);
  driver.request(1, 'BlobPut', { ...blob, offset: 0, chunk: content });
  driver.enqueue(1, [checkedJob({ more: { body: new Uint8Array(0), bodyRef: blob } })]);
  driver.advance(2 * hourMs);
  driver.advance(2 * hourMs);
  expect(isThere()).toBe(true);
  driver.subscribe(1, 1);
  const { token } = driver.deliveries(1)[0]!;
  driver.settle(1, token, 'ack', { result: { inline: null, blob } });
  driver.advance(2 * hourMs);
  driver.advance(2 * hourMs);
  expect(isThere()).toBe(true);
  driver = new Driver(driver.log, { ...testOptions, keepMs: 1 }, driver.now);
  driver.open(1);
  driver.advance(1_000);
  expect(driver.stateOf(1)).toBe('none');
  driver.advance(2 * hourMs);
  driver.advance(2 * hourMs);
  expect(isThere()).toBe(false);
  expect(driver.request(1, 'Result', { id: idOf(1) })).toMatchObject({
    code: errorCodes.NOT_FOUND.number,
  });
});
