/** `salvageLog`: what it keeps of a damaged log, what it leaves out, and what it says about that. */

import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FolderLockedError, lockFolder } from '../../../../core/broker/folder/folder-lock.ts';
import { LogDamagedError } from '../../../../core/broker/log/contract.ts';
import { salvageLog } from '../../../../core/broker/maintenance/salvage/salvage.ts';
import { verifyLog } from '../../../../core/broker/maintenance/verify.ts';
import type { LogRecord } from '../../../../core/broker/state-machine/records/records.ts';
import { seededRandom } from '../../../support/log/log-harness.ts';
import {
  batchPlaces,
  contentOf,
  delivered,
  ended,
  enqueued,
  flipByte,
  forgotten,
  hexOf,
  idOf,
  jobOf,
  logIdOf,
  makeLater,
  plainLog,
  recordsOf,
  segmentPath,
  started,
  temporaryDir,
  writeLog,
} from './logs.ts';

/** Damages the payload of a batch, so that the batch is lost and its header stays legible. */
function damageBatch(dir: string, segment: number, batch: number): void {
  flipByte(dir, segment, (batchPlaces(dir, segment)[batch] ?? 0) + 70);
}

const generation: LogRecord = { kind: 'epochStarted', epoch: 2 ** 32, seqHighest: 6, atMs: 5 };

test('a batch that is lost costs its records, and nothing else', async () => {
  const dir = await writeLog(plainLog);
  damageBatch(dir, 2, 1);
  const before = contentOf(dir);
  const to = temporaryDir();
  const { loss, salvaged } = await salvageLog(dir, to, { nowMs: 5 });
  const kept = recordsOf(dir).map(({ hex }) => hex);
  expect(recordsOf(to).map(({ hex }) => hex)).toEqual([...kept, ...hexOf(generation)]);
  expect(loss).toMatchObject({
    kept: { records: 8, jobs: 6 },
    lost: { bytes: expect.any(Number), batches: 1, records: 2, placesOfUnknownSize: 0 },
    leftOut: { ofUnknownJobs: 0, illegible: 0, ofLostBlobs: 0 },
    jobs: { thatLostRecords: { ids: [], more: 0 } },
  });
  expect(salvaged).toMatchObject({ problems: [], clean: true, jobs: { live: 6 } });
  expect(logIdOf(to)).not.toBe(logIdOf(dir));
  expect(contentOf(dir)).toEqual(before);
});

test('what is said of a job whose acceptance is lost is left out and told', async () => {
  const dir = await writeLog(plainLog);
  damageBatch(dir, 1, 0);
  const to = temporaryDir();
  const { loss } = await salvageLog(dir, to, { nowMs: 5 });
  expect(loss).toMatchObject({
    kept: { jobs: 5 },
    lost: { records: 2 },
    leftOut: { ofUnknownJobs: 2 },
    jobs: { thatLostRecords: { ids: [idOf(1)], more: 0 } },
  });
  const kept = [enqueued(2, 3), delivered(2), ended(2), enqueued(4), enqueued(5), enqueued(6)];
  expect(recordsOf(to).map(({ hex }) => hex)).toEqual(hexOf(...kept, generation));
  expect((await verifyLog(to)).problems).toEqual([]);
});

test('the report lies beside the new log', async () => {
  const dir = await writeLog(plainLog);
  damageBatch(dir, 1, 0);
  const to = temporaryDir();
  await salvageLog(dir, to, { nowMs: 5 });
  expect(readdirSync(to).sort()).toEqual(['log', 'loss-report.txt']);
  const text = readFileSync(join(to, 'loss-report.txt'), 'utf8');
  expect(text).toContain(`Salvaged from ${dir} at 1970-01-01T00:00:00.005Z.`);
  expect(text).toMatch(/^lost +2 records, 1 batches, \d+ bytes$/m);
  expect(text).toMatch(/log\/0000000001\.log: byte \d+: the bytes of a batch are damaged/);
  expect(text).toContain(idOf(1));
});

test('a missing segment and a damaged header cost what they held', async () => {
  const dir = await writeLog(plainLog);
  rmSync(segmentPath(dir, 2));
  flipByte(dir, 3, 30);
  const to = temporaryDir();
  const { loss } = await salvageLog(dir, to, { nowMs: 5 });
  expect(loss.lost).toMatchObject({ records: 4, placesOfUnknownSize: 1 });
  expect(loss.kept).toEqual({ records: 6, jobs: 6 });
});

test('a log without any valid segment header cannot be salvaged', async () => {
  const dir = await writeLog({ segments: [[[started(1)]]] });
  const path = segmentPath(dir, 1);
  writeFileSync(path, readFileSync(path).fill(7));
  await expect(salvageLog(dir, temporaryDir())).rejects.toThrow(LogDamagedError);
});

test('references to records that are lost are cut, the others follow', async () => {
  const retry = { end: 'retry', state: 'ready' } as const;
  const dir = await writeLog({
    segments: [
      [[started(1), enqueued(1), enqueued(9)], [enqueued(2)], [delivered(1)]],
      [[ended(1, { ...retry, previous: 0 })], [delivered(1, 1, 2)]],
      [[ended(1, { ...retry, previous: 6 })], [delivered(1, 1, 3)]],
      [[ended(1, { previous: 8 })]],
    ],
  });
  // Job 2 goes, so that what follows moves up by one.
  damageBatch(dir, 1, 1);
  const to = temporaryDir();
  await salvageLog(dir, to);
  const ends = () => recordsOf(to).filter(({ record }) => record.kind === 'leaseEnded');
  expect(ends()).toMatchObject([
    { offset: 5, record: { previous: 0 } },
    { offset: 7, record: { previous: 5 } },
    { offset: 9, record: { previous: 7 } },
  ]);
  damageBatch(dir, 3, 0);
  rmSync(to, { recursive: true });
  await salvageLog(dir, to);
  expect(ends()).toMatchObject([
    { offset: 5, record: { previous: 0 } },
    { offset: 8, record: { previous: 0 } },
  ]);
});

test('a job that was accepted again stays, though the record that forgot the old one is lost', async () => {
  const again: LogRecord = {
    kind: 'enqueued',
    atMs: 9,
    jobs: [{ seq: 2, dueAtMs: 0, job: jobOf(1, { body: Buffer.from('{"again":true}') }) }],
  };
  const dir = await writeLog({
    segments: [[[started(1), enqueued(1)], [delivered(1), ended(1)], [forgotten(1)], [again]]],
  });
  damageBatch(dir, 1, 2);
  const to = temporaryDir();
  const { salvaged, loss } = await salvageLog(dir, to);
  expect(salvaged.jobs).toEqual({ live: 1, dead: 0, finished: 0 });
  expect(recordsOf(to).map(({ hex }) => hex)).toContain(hexOf(again)[0]);
  expect(loss.jobs.thatLostRecords.ids).toEqual([idOf(1)]);
});

test('follow-up jobs stay, though the job that enqueued them is lost', async () => {
  const followUps = [{ seq: 2, dueAtMs: 0, job: jobOf(2) }];
  const dir = await writeLog({
    segments: [[[enqueued(1)], [delivered(1)], [ended(1, { enqueue: followUps })]]],
  });
  damageBatch(dir, 1, 0);
  const to = temporaryDir();
  const { salvaged } = await salvageLog(dir, to);
  expect(salvaged.jobs).toEqual({ live: 1, dead: 0, finished: 0 });
  expect([recordsOf(to)[0]?.hex]).toEqual(hexOf({ kind: 'enqueued', atMs: 3, jobs: followUps }));
});

const content = Buffer.from('the content of a blob');
const sha256 = createHash('sha256').update(content).digest();
const blob = { sha256, totalBytes: content.length };

function chunk(at: number, bytes: Uint8Array): LogRecord {
  return { kind: 'blobChunk', ...blob, at, chunkBytes: bytes.length, chunk: bytes };
}

/** Job 1 has its input in a blob of two chunks, job 2 its result, and job 3 an entry of its journal. */
async function logWithBlob(): Promise<string> {
  const withBlob = jobOf(1, { body: new Uint8Array(0), bodyRef: blob });
  const value = { inline: null, blob };
  const callHash = new Uint8Array(32);
  return writeLog({
    segments: [
      [[chunk(0, content.subarray(0, 9))], [chunk(9, content.subarray(9))]],
      [
        [{ kind: 'blobStored', ...blob, atMs: 1 }],
        [{ kind: 'enqueued', atMs: 1, jobs: [{ seq: 1, dueAtMs: 0, job: withBlob }] }],
        [enqueued(2, 3), delivered(2), ended(2, { result: value })],
        [
          {
            kind: 'journaled',
            id: idOf(3),
            callHash,
            value,
            inlineBytes: 0,
            charge: null,
            atMs: 1,
          },
        ],
      ],
    ],
  });
}

test('a whole blob stays with everything that refers to it', async () => {
  const dir = await logWithBlob();
  const to = temporaryDir();
  const { loss } = await salvageLog(dir, to, { nowMs: 5 });
  expect(loss).toMatchObject({ leftOut: { ofLostBlobs: 0 }, jobs: { withoutInput: { ids: [] } } });
  expect(recordsOf(to).length).toBe(recordsOf(dir).length + 1);
});

test('a blob that lost a chunk is left out, and those who need it are told', async () => {
  const dir = await logWithBlob();
  damageBatch(dir, 1, 1);
  const to = temporaryDir();
  const { loss, salvaged } = await salvageLog(dir, to);
  expect(loss).toMatchObject({
    leftOut: { ofLostBlobs: 3 },
    jobs: {
      withoutInput: { ids: [idOf(1)] },
      withoutResult: { ids: [idOf(2)] },
      thatLostRecords: { ids: [idOf(3)] },
    },
  });
  expect(salvaged).toMatchObject({ problems: [], jobs: { live: 2, finished: 1 } });
});

test('records from before a log start are no loss when compaction said them again', async () => {
  const logStart = { segment: 5, offset: 101, writtenAt: 103 };
  const start = { segment: 5, nextOffset: 101, nextSequence: 40, logStart };
  const dir = await writeLog({
    start,
    segments: [[[ended(1), started(3), enqueued(2)]], [[enqueued(3)], [enqueued(4)]]],
  });
  damageBatch(dir, 6, 0);
  const to = temporaryDir();
  const { loss, salvaged } = await salvageLog(dir, to);
  expect(loss).toMatchObject({ leftOut: { ofUnknownJobs: 0 }, kept: { jobs: 2 } });
  expect(salvaged).toMatchObject({ firstOffset: 1, problems: [] });
});

test('a log of a later version is not salvaged', async () => {
  const dir = await writeLog(plainLog);
  makeLater(dir, 3);
  await expect(salvageLog(dir, temporaryDir())).rejects.toThrow('log format 3');
});

test('a folder that a broker serves is not salvaged', async () => {
  const dir = await writeLog(plainLog);
  const to = join(temporaryDir(), 'to');
  const lock = lockFolder(dir);
  try {
    await expect(salvageLog(dir, to)).rejects.toThrow(FolderLockedError);
    expect(existsSync(to)).toBe(false);
  } finally {
    lock.release();
  }
});

test('a folder that is not empty is no target', async () => {
  const dir = await writeLog(plainLog);
  await expect(salvageLog(dir, dir)).rejects.toThrow('is not empty');
});

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

/** Zeros, noise or nothing in the place of some bytes. */
function wound(path: string, random: () => number): void {
  const upTo = (limit: number) => Math.floor(random() * limit);
  const bytes = readFileSync(path);
  const from = upTo(bytes.length);
  const to = Math.min(bytes.length, from + 1 + upTo(200));
  const noise = Buffer.from(bytes.subarray(from, to).map(() => upTo(256)));
  const instead = [Buffer.alloc(to - from), noise, Buffer.alloc(0)][upTo(3)] ?? noise;
  writeFileSync(path, Buffer.concat([bytes.subarray(0, from), instead, bytes.subarray(to)]));
}

/** The enqueued records among the legible ones. */
function acceptances(dir: string): string[] {
  return recordsOf(dir).flatMap(({ record, hex }) => (record.kind === 'enqueued' ? [hex] : []));
}

test('whatever is damaged, jobs of intact batches are in the salvaged log, and it is whole', async () => {
  const dir = await writeLog(plainLog);
  const random = seededRandom(seed);
  for (let round = 0; round < 16; round++) {
    const damaged = temporaryDir();
    cpSync(dir, damaged, { recursive: true });
    for (let wounds = 0; wounds < 1 + round / 4; wounds++) {
      // The first segment stays: the check below takes the log's id from it.
      wound(segmentPath(damaged, 2 + Math.floor(random() * 2)), random);
    }
    const what = `seed ${seed}, round ${round}`;
    const target = temporaryDir();
    const { salvaged } = await salvageLog(damaged, target);
    expect(salvaged.problems, what).toEqual([]);
    expect(acceptances(target), what).toEqual(acceptances(damaged));
  }
});
