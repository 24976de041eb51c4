/** Small logs on a real disk for the tests of the tools that look after a broker's folder. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { nodeDisk } from '../../../../core/broker/log/disk/disk.ts';
import {
  decodeSegmentHeader,
  encodeLogStart,
  segmentName,
} from '../../../../core/broker/log/format/format.ts';
import {
  asPart,
  type Hole,
  readBatches,
  type SegmentBatch,
} from '../../../../core/broker/log/format/segment-reader.ts';
import type { BatchContent } from '../../../../core/broker/log/write/batch.ts';
import {
  NewSegments,
  recordsContent,
  type SegmentStart,
} from '../../../../core/broker/maintenance/new-segments.ts';
import {
  decodeRecord,
  encodeRecord,
  type LogRecord,
} from '../../../../core/broker/state-machine/records/records.ts';
import { encodeJob, idToText, type NewJob, noUsage } from '../../../../core/protocol/index.ts';

export function idOf(number: number): string {
  const bytes = new Uint8Array(16).fill(1);
  new DataView(bytes.buffer).setUint32(8, number);
  return idToText(bytes);
}

export function jobOf(number: number, fields: Partial<NewJob> = {}): Uint8Array {
  const job = {
    id: idOf(number),
    queue: 'q',
    digest: new Uint8Array(16).fill(7),
    body: new TextEncoder().encode(`{"number":${number}}`),
    agent: 'agent',
    agentDigest: new Uint8Array(32),
    source: '',
    createdAtMs: 1,
  };
  return encodeJob({ ...job, ...fields }, crc32);
}

export function started(epoch: number): LogRecord {
  return { kind: 'epochStarted', epoch, seqHighest: 0, atMs: 1 };
}

export function enqueued(...numbers: readonly number[]): LogRecord {
  const jobs = numbers.map((number) => ({ seq: number, dueAtMs: 0, job: jobOf(number) }));
  return { kind: 'enqueued', atMs: 1, jobs };
}

export function delivered(number: number, epoch = 1, delivery = 1): LogRecord {
  const job = { id: idOf(number), delivery, isolated: false, session: 0 };
  return { kind: 'delivered', epoch, atMs: 2, sessions: [idOf(900)], jobs: [job] };
}

type LeaseEnded = Extract<LogRecord, { kind: 'leaseEnded' }>;

export function ended(number: number, fields: Partial<LeaseEnded> = {}): LeaseEnded {
  return {
    kind: 'leaseEnded',
    id: idOf(number),
    end: 'ack',
    state: 'done',
    dueAtMs: 0,
    parkKey: '',
    attempts: 0,
    crashes: 0,
    returns: 0,
    returnsSinceMs: 0,
    fullBytes: 0,
    delivery: 1,
    session: idOf(900),
    errorCode: '',
    errorMessage: '',
    note: '',
    usage: noUsage,
    result: null,
    output: null,
    prompts: null,
    enqueue: [],
    previous: 0,
    atMs: 3,
    ...fields,
  };
}

export function forgotten(...numbers: readonly number[]): LogRecord {
  return { kind: 'forgotten', ids: numbers.map(idOf) };
}

/** A folder that is removed when the test ends. */
export function temporaryDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'aiq-care-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export interface LogShape {
  /** Segments of batches of records. */
  readonly segments: readonly (readonly (readonly LogRecord[] | BatchContent)[])[];
  /** Where the first segment stands, after compaction. */
  readonly start?: SegmentStart;
  /** Whether the broker closed it. */
  readonly clean?: boolean;
}

/** Writes `<dir>/log` and returns `dir`. */
export async function writeLog(
  { segments, start, clean = true }: LogShape,
  dir: string = temporaryDir(),
): Promise<string> {
  mkdirSync(join(dir, 'log'), { recursive: true });
  const log = new NewSegments(nodeDisk, join(dir, 'log'));
  for (const [index, batches] of segments.entries()) {
    if (index === 0) log.start(start);
    else log.start();
    for (const batch of batches) {
      log.add('payload' in batch ? batch : recordsContent(batch.map(encodeRecord)));
    }
    if (index < segments.length - 1 || !clean) await log.write();
    else await log.finish();
  }
  return dir;
}

/** A log of three segments with six batches: jobs 1 to 6, of which 1 and 2 are done. */
export const plainLog: LogShape = {
  segments: [
    [[started(1), enqueued(1)], [enqueued(2, 3)]],
    [
      [delivered(1), delivered(2)],
      [ended(1), ended(2)],
    ],
    [[enqueued(4), enqueued(5)], [enqueued(6)]],
  ],
};

export function logStartBatch(segment: number, offset: number): BatchContent {
  const payload = encodeLogStart({ segment, offset });
  return { kind: 'logStart', payload, recordCount: 0 };
}

export function segmentPath(dir: string, number: number): string {
  return join(dir, 'log', segmentName(number));
}

/** Batches and holes of a segment. */
export function batchesIn(bytes: Uint8Array, logId: Uint8Array): (SegmentBatch | Hole)[] {
  return [...readBatches(asPart({ path: '', number: 1, bytes }), logId, 0)];
}

/** Where the batches of a segment begin. */
export function batchPlaces(dir: string, number: number): number[] {
  const bytes = readFileSync(segmentPath(dir, number));
  const header = decodeSegmentHeader(bytes);
  if (!header.ok) throw new Error('the segment has no legible header');
  return batchesIn(bytes, header.cursor.logId).map(({ atByte }) => atByte);
}

/** Changes one byte of a segment. */
export function flipByte(dir: string, number: number, at: number): void {
  const path = segmentPath(dir, number);
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x40;
  writeFileSync(path, bytes);
}

/** Makes a segment look as if a later version wrote it: nothing but the first bytes is as it was. */
export function makeLater(dir: string, number: number): void {
  const bytes = Buffer.alloc(400, 'later');
  readFileSync(segmentPath(dir, number)).copy(bytes, 0, 0, 6);
  bytes.writeUInt16BE(bytes.readUInt16BE(4) + 1, 4);
  writeFileSync(segmentPath(dir, number), bytes);
}

/** All files under a folder with their content, to see that nothing was changed. */
export function contentOf(dir: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path, readFileSync(path).toString('base64'));
  }
  return files;
}

export interface LoggedRecord {
  readonly offset: number;
  readonly record: LogRecord;
  /** The bytes, to compare. */
  readonly hex: string;
}

/** The legible records of a log in order. The header of its first segment must be whole. */
export function recordsOf(dir: string): LoggedRecord[] {
  const names = readdirSync(join(dir, 'log')).filter((name) => name.endsWith('.log'));
  const [first = ''] = names.sort();
  const id = Buffer.from(logIdOf(dir, Number.parseInt(first, 10)), 'hex');
  return names.flatMap((name) => {
    const bytes = readFileSync(join(dir, 'log', name));
    return batchesIn(bytes, id).flatMap((piece) =>
      piece.type === 'hole'
        ? []
        : piece.records.map((record, index) =>
            loggedRecord(piece.header.firstOffset + index, record),
          ),
    );
  });
}

function loggedRecord(offset: number, record: Uint8Array): LoggedRecord {
  return { offset, record: decodeRecord(record), hex: Buffer.from(record).toString('hex') };
}

export function hexOf(...records: readonly LogRecord[]): string[] {
  return records.map((record) => Buffer.from(encodeRecord(record)).toString('hex'));
}

export function logIdOf(dir: string, number = 1): string {
  const header = decodeSegmentHeader(readFileSync(segmentPath(dir, number)));
  if (!header.ok) throw new Error('the segment has no legible header');
  return Buffer.from(header.cursor.logId).toString('hex');
}
