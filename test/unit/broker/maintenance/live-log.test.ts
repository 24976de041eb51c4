/** The tools on logs that the log's own code wrote, and its code on logs that the tools made. */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Log, StoredRecord, Summarizer } from '../../../../core/broker/log/contract.ts';
import { summaryName } from '../../../../core/broker/log/format/format.ts';
import { openLog } from '../../../../core/broker/log/open.ts';
import { backupLog } from '../../../../core/broker/maintenance/backup.ts';
import { restoreLog } from '../../../../core/broker/maintenance/restore.ts';
import { salvageLog } from '../../../../core/broker/maintenance/salvage/salvage.ts';
import { verifyLog } from '../../../../core/broker/maintenance/verify.ts';
import {
  encodeRecord,
  type LogRecord,
} from '../../../../core/broker/state-machine/records/records.ts';
import { SegmentSummary } from '../../../../core/broker/state-machine/records/segment-summary.ts';
import { nextTurn, settled } from '../../../support/log/log-harness.ts';
import {
  batchPlaces,
  delivered,
  ended,
  enqueued,
  flipByte,
  recordsOf,
  segmentPath,
  started,
  temporaryDir,
} from './logs.ts';

interface Opened {
  readonly log: Log;
  readonly replayed: StoredRecord[];
  readonly compactedUpTo: number;
}

async function open(dir: string, segmentBytesMax = 2000): Promise<Opened> {
  const replayed: StoredRecord[] = [];
  let compactedUpTo = 0;
  const { log } = await openLog(
    {
      dir: join(dir, 'log'),
      segmentBytesMax,
      summarize: () => new SegmentSummary(),
      onDurable: () => undefined,
      onProblem: () => undefined,
      onFailure: (error) => {
        throw error;
      },
      markIdleMs: 5,
    },
    {
      begin: (upTo) => {
        compactedUpTo = upTo;
      },
      record: (bytes, offset) => replayed.push({ offset, bytes: bytes.slice() }),
    },
  );
  onTestFinished(() => log.close().catch(() => undefined));
  return { log, replayed, compactedUpTo };
}

async function append(log: Log, ...records: readonly LogRecord[]): Promise<void> {
  for (const record of records) {
    log.append(encodeRecord(record));
    await settled(log);
  }
}

function stopSign(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

const jobs = Array.from({ length: 40 }, (_, index) => enqueued(index + 1));

/** A log of several segments that is open. */
async function liveLog(): Promise<{ dir: string; log: Log }> {
  const dir = temporaryDir();
  const { log } = await open(dir);
  await append(log, started(1), ...jobs, delivered(1), ended(1));
  return { dir, log };
}

async function summariesOf(dir: string, count: number): Promise<void> {
  const made = () => readdirSync(join(dir, 'log')).filter((name) => name.endsWith('.summary'));
  while (made().length < count) await nextTurn();
}

test('an open log is verified and copied, and goes on', async () => {
  const { dir, log } = await liveLog();
  expect(log.segments.length).toBeGreaterThan(3);
  expect(await verifyLog(dir)).toMatchObject({
    endOffset: 43,
    clean: false,
    jobs: { live: 39, finished: 1 },
    problems: [],
  });
  const { copy } = await backupLog(dir, temporaryDir());
  expect(copy).toMatchObject({ endOffset: 43, problems: [] });
  await append(log, enqueued(99));
  await log.close();
  expect(await verifyLog(dir)).toMatchObject({ endOffset: 44, clean: true, problems: [] });
});

test('a backup under load holds everything that was durable before it began', async () => {
  const dir = temporaryDir();
  const { log } = await open(dir, 20_000);
  await append(log, started(1));
  const { signal, abort } = stopSign();
  const load = (async () => {
    for (let number = 1; !signal.aborted; number++) await append(log, enqueued(number));
  })();
  for (let round = 0; round < 3; round++) {
    const { durableOffset } = log;
    const { copy } = await backupLog(dir, temporaryDir());
    expect(copy.endOffset).toBeGreaterThanOrEqual(durableOffset);
    expect(copy).toMatchObject({ problems: [], jobs: { live: copy.endOffset - 1 } });
  }
  abort();
  await load;
});

test('a compacted log is verified, copied and restored, and holds the same records', async () => {
  const { dir, log } = await liveLog();
  const [, , third] = log.segments;
  await append(log, started(2), ...jobs.slice(0, 5).map(() => started(2)));
  await log.dropBefore(third?.firstOffset ?? 0);
  await append(log, enqueued(99));
  expect(existsSync(segmentPath(dir, 1))).toBe(false);
  const to = temporaryDir();
  const { copy } = await backupLog(dir, to);
  expect(copy).toMatchObject({ firstOffset: third?.firstOffset, problems: [] });
  const restored = join(temporaryDir(), 'restored');
  await restoreLog(to, restored);
  await log.close();
  expect(recordsOf(restored).slice(0, -1)).toEqual(recordsOf(dir));
  const one = await open(dir);
  const other = await open(restored);
  expect(other.compactedUpTo).toBe(one.compactedUpTo);
  expect(other.compactedUpTo).toBeGreaterThan(40);
  await append(other.log, enqueued(100));
  await other.log.close();
  expect((await verifyLog(restored)).problems).toEqual([]);
});

test('a salvaged log opens with what was legible', async () => {
  const { dir, log } = await liveLog();
  await log.close();
  flipByte(dir, 2, (batchPlaces(dir, 2)[1] ?? 0) + 70);
  const to = temporaryDir();
  const { salvaged } = await salvageLog(dir, to);
  const { log: opened, replayed } = await open(to);
  expect(replayed.length).toBe(salvaged.records);
  expect(replayed.length).toBe(recordsOf(dir).length + 1);
  await append(opened, enqueued(77));
  await opened.close();
  expect((await verifyLog(to)).problems).toEqual([]);
});

test('summaries are held against their segments', async () => {
  const { dir, log } = await liveLog();
  await summariesOf(dir, log.segments.length - 1);
  await log.close();
  expect(await verifyLog(dir)).toMatchObject({ problems: [], notices: [] });
  const path = join(dir, 'log', summaryName(2));
  const bytes = readFileSync(path);
  writeFileSync(path, readFileSync(join(dir, 'log', summaryName(3))));
  expect((await verifyLog(dir)).problems).toMatchObject([
    { kind: 'summary', file: path, records: 0 },
  ]);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const { problems, notices } = await verifyLog(dir);
  expect(problems).toEqual([]);
  expect(notices).toEqual([
    `${path} is damaged or of another version; the next start writes it again`,
  ]);
});

test('a summary that says something else than its segment is a problem', async () => {
  const { dir, log } = await liveLog();
  await summariesOf(dir, log.segments.length - 1);
  await log.close();
  const shorter = (): Summarizer => {
    const whole = new SegmentSummary();
    return { add: (record) => whole.add(record), finish: () => [...whole.finish()].slice(1) };
  };
  const { problems } = await verifyLog(dir, { summarize: shorter });
  expect(problems.length).toBeGreaterThan(0);
  expect(new Set(problems.map(({ kind }) => kind))).toEqual(new Set(['summary']));
});
