/** Summaries made in their thread: the same bytes as on the event loop, and damage is told. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SummaryThread } from '../../../../core/broker/engine/summaries/summary-maker.ts';
import type { SealedSegment } from '../../../../core/broker/log/contract.ts';
import { nodeDisk } from '../../../../core/broker/log/disk/disk.ts';
import { segmentName } from '../../../../core/broker/log/format/format.ts';
import { makeSummary, RetryLater } from '../../../../core/broker/log/write/make-summary.ts';
import { SegmentSummary } from '../../../../core/broker/state-machine/records/segment-summary.ts';
import { openDiskLog } from '../../../support/log/disk-log.ts';
import { delivered, enqueued, leaseEnded } from '../../../unit/broker/search/model.ts';

let dir: string;
let thread: SummaryThread;
let segments: SealedSegment[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'aiq-summaries-'));
  thread = new SummaryThread(dir);
  const { log, append } = await openDiskLog(dir, 20_000);
  for (let number = 1; number <= 120; number++) {
    await append(enqueued(number), delivered(number), leaseEnded(number));
  }
  segments = log.segments.slice(0, -1) as SealedSegment[];
  await log.close();
});
afterEach(async () => {
  await thread.stop();
  rmSync(dir, { recursive: true });
});

const inline = (segment: SealedSegment): Promise<readonly Uint8Array[]> =>
  makeSummary(segment, {
    disk: nodeDisk,
    dir,
    summarize: () => new SegmentSummary(),
    pause: async () => undefined,
  });

test('they are the same as on the event loop, one after the other', async () => {
  expect(segments.length).toBeGreaterThan(1);
  for (const segment of segments) {
    const made = Buffer.concat(await thread.make(segment));
    expect(made.length).toBeGreaterThan(1_000);
    expect(made.equals(Buffer.concat(await inline(segment)))).toBe(true);
  }
});

test('a damaged segment is told as such; one that cannot be read is tried again', async () => {
  const [first, second] = segments;
  if (first === undefined || second === undefined) throw new Error('too few segments');
  const path = join(dir, segmentName(first.number));
  const bytes = readFileSync(path);
  bytes[500]! ^= 1;
  writeFileSync(path, bytes);
  await expect(thread.make(first)).rejects.toMatchObject({ name: 'LogDamagedError', file: path });
  rmSync(join(dir, segmentName(second.number)));
  await expect(thread.make(second)).rejects.toThrow(RetryLater);
});

test('a thread that is ended gives up the summary that it makes, and the next one starts it again', async () => {
  const [first] = segments;
  if (first === undefined) throw new Error('no segment');
  const given = expect(thread.make(first)).rejects.toThrow(RetryLater);
  await thread.stop();
  await given;
  expect(Buffer.concat(await thread.make(first)).length).toBeGreaterThan(1_000);
});
