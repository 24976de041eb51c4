import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeDisk, replaceFile, writeAll } from '../../../../core/broker/log/disk/disk.ts';
import { BatchIndex } from '../../../../core/broker/log/format/batch-index.ts';
import {
  batchFrameBytes,
  batchHeaderBytes,
  decodeBatchHeader,
  decodeSegmentHeader,
  encodeSegmentHeader,
  segmentHeaderBytes,
  segmentName,
  segmentNumber,
} from '../../../../core/broker/log/format/format.ts';
import {
  decodeSummary,
  encodeSummary,
  SummaryRecords,
} from '../../../../core/broker/log/format/summary-format.ts';
import { Batch } from '../../../../core/broker/log/write/batch.ts';

const logId = Uint8Array.from({ length: 16 }, (_, index) => index);
const start = {
  logId,
  segment: 6,
  nextOffset: 1001,
  nextSequence: 55,
  chain: 0xdeadbeef,
  logStart: { segment: 3, offset: 400, writtenAt: 900 },
};

function sealedBatch(): Buffer {
  const batch = Batch.ofRecords(1001, Buffer.alloc(200));
  batch.add(Buffer.from('one'));
  batch.add(Buffer.from('three'));
  return Buffer.from(batch.seal(start, { offset: 1000, sequence: 54 }).bytes);
}

test('the bytes of version 2 are the documented ones and do not change by accident', () => {
  const { header } = encodeSegmentHeader(start, 7);
  expect(Buffer.from(header).toString('hex')).toBe(
    '4149514c00020000000102030405060708090a0b0c0d0e0f000000000000000700000000000003e9' +
      '0000000000000037deadbeef0000000000000000000000030000000000000190' +
      '0000000000000384000000000000000000000000c8762c1c',
  );
  expect(sealedBatch().toString('hex')).toBe(
    '41495142010000000000001000000002000000000000003700000000000003e900000000000003e8' +
      '0000000000000036eef118b3deadbeef00000000cd0fbed4000000036f6e65000000057468726565' +
      '41495145',
  );
});

test('the bytes of a log start and of a summary are the documented ones', () => {
  const logStart = Batch.logStart({ segment: 4, offset: 500 }, 1001).seal(start, {
    offset: 1000,
    sequence: 54,
  });
  expect(Buffer.from(logStart.bytes).subarray(64).toString('hex')).toBe(
    '000000000000000400000000000001f441495145',
  );
  expect(logStart.bytes[4]).toBe(4);
  expect(logStart.cursor.logStart).toEqual({ segment: 4, offset: 500, writtenAt: 1000 });
  const index = new BatchIndex(1001);
  index.add(1003, 96, 0xcafe);
  const records = new SummaryRecords();
  records.add({ offset: 1003, bytes: Buffer.from('ab') });
  const end = { nextOffset: 1009, nextSequence: 60, chain: 7, logStart: logStart.cursor.logStart };
  const sha256 = Buffer.alloc(32, 0x5a);
  const head = { logId, segment: 7, segmentBytes: 5000, before: start, after: end, sha256 };
  const bytes = Buffer.concat(encodeSummary(head, index, records));
  expect(bytes.toString('hex')).toBe(
    '4149515300030000000102030405060708090a0b0c0d0e0f0000000000000007000000000000138800000000' +
      '000003e9000000000000003700000000000003f1000000000000003cdeadbeef000000070000000000000004' +
      '00000000000001f400000000000003e85a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a' +
      '5a5a5a5a0000000100000001000000000000001a59981f55b66d837f00000002000000600000cafe00000000' +
      '000003eb000000026162',
  );
  const decoded = decodeSummary(bytes)!;
  expect(decoded).toMatchObject({ segment: 7, segmentBytes: 5000, after: end });
  expect(decoded.index.find(1004)).toMatchObject({ firstOffset: 1003, headerCrc: 0xcafe });
  expect([...decoded.records]).toEqual([
    { offset: 1003, bytes: new Uint8Array(Buffer.from('ab')) },
  ]);
});

test('a segment header comes back as it was written, with the chain to the one before', () => {
  const { header, cursor } = encodeSegmentHeader(start, 7);
  expect(decodeSegmentHeader(header)).toEqual({ ok: true, cursor, previousChain: 0xdeadbeef });
  expect(cursor).toMatchObject({ segment: 7, nextOffset: 1001, nextSequence: 55 });
});

test('a batch header comes back as it was written', () => {
  const bytes = sealedBatch();
  expect(decodeBatchHeader(bytes, 0, logId)).toMatchObject({
    kind: 'records',
    payloadBytes: 16,
    recordCount: 2,
    sequence: 55,
    firstOffset: 1001,
    durableUpTo: 1000,
    durableSequence: 54,
    chain: 0xdeadbeef,
  });
  expect(bytes.length).toBe(batchFrameBytes + 16);
});

test('every flipped bit of a header is noticed', () => {
  const { header } = encodeSegmentHeader(start, 7);
  const batch = sealedBatch();
  for (let bit = 0; bit < segmentHeaderBytes * 8; bit++) {
    const flipped = Buffer.from(header);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    expect(decodeSegmentHeader(flipped).ok, `segment header bit ${bit}`).toBe(false);
  }
  for (let bit = 0; bit < batchHeaderBytes * 8; bit++) {
    batch[bit >> 3]! ^= 1 << (bit & 7);
    expect(decodeBatchHeader(batch, 0, logId), `batch header bit ${bit}`).toBeNull();
    batch[bit >> 3]! ^= 1 << (bit & 7);
  }
});

test('a batch header of another log is not accepted', () => {
  const otherId = Uint8Array.from(logId, (byte) => byte ^ 1);
  expect(decodeBatchHeader(sealedBatch(), 0, otherId)).toBeNull();
});

test('only names of ten digits are segments', () => {
  expect(segmentNumber(segmentName(42))).toBe(42);
  for (const name of ['42.log', '0000000042.log.tmp', '0000000042.log.bak', 'quarantine']) {
    expect(segmentNumber(name), name).toBeNull();
  }
});

test('a write goes on after short counts and fails when nothing is taken', async () => {
  const pieces: Buffer[] = [];
  const file = {
    write: async (buffers: readonly Uint8Array[], position: number) => {
      expect(position).toBe(10 + Buffer.concat(pieces).length);
      const piece = Buffer.concat(buffers).subarray(0, 3);
      pieces.push(piece);
      return piece.length;
    },
    datasync: async () => undefined,
    read: async () => 0,
    size: async () => 0,
    truncate: async () => undefined,
    close: async () => undefined,
  };
  const content = ['ab', '', 'cdefg', 'h'].map((text) => Buffer.from(text));
  expect(await writeAll(file, content, 10)).toBe(8);
  expect(Buffer.concat(pieces).toString()).toBe('abcdefgh');
  const full = { ...file, write: async () => 0 };
  await expect(writeAll(full, content, 10)).rejects.toThrow('accepted no byte at position 10');
});

test('on a real disk a placed file is complete, private and replaces its forerunner', async () => {
  const root = await mkdtemp(join(tmpdir(), 'aiq-log-'));
  try {
    const dir = join(root, 'a', 'b');
    await nodeDisk.makeDir(dir);
    await nodeDisk.makeDir(dir);
    for (const text of ['first and longer', 'second']) {
      const file = await replaceFile(nodeDisk, dir, 'name', [Buffer.from(text)]);
      expect(await writeAll(file, [Buffer.from('!')], text.length)).toBe(1);
      await file.close();
      expect(await readFile(join(dir, 'name'), 'utf8')).toBe(`${text}!`);
    }
    expect(await nodeDisk.list(dir)).toEqual(['name']);
    expect((await stat(join(dir, 'name'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(root, 'a'))).mode & 0o777).toBe(0o700);
  } finally {
    await rm(root, { recursive: true });
  }
});
