/**
 * Writes the summaries of sealed segments in the background, one at a time and in small steps. One
 * that is not finished when the log closes is written after the next start.
 */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { messageOf } from '../../../base/index.ts';
import type { LogOptions, Scheduler, StoredRecord, Summarizer } from '../contract.ts';
import { type Disk, NotCreatedError, type ReadableFile, replaceFile } from '../disk/disk.ts';
import { spaceLimits } from '../disk/space-limits.ts';
import {
  decodeSegmentHeader,
  type LogCursor,
  segmentHeaderBytes,
  segmentName,
  summaryName,
} from '../format/format.ts';
import type { SegmentPart } from '../format/segment-reader.ts';
import { encodeSummary, SummaryRecords } from '../format/summary-format.ts';
import { RetryDelay, retryDelayMs } from '../pause.ts';
import { damagedAfterStart } from '../recovery/refusals.ts';
import { scanBatches } from '../recovery/scan.ts';
import type { SealedSegment } from '../segments.ts';

export interface SummaryKeeperOptions {
  readonly disk: Disk;
  readonly dir: string;
  readonly segmentBytesMax: number;
  readonly scheduler: Scheduler;
  readonly summarize: () => Summarizer;
  /** A segment is damaged, or a write of the disk failed. */
  readonly onFailure: (error: unknown) => void;
  readonly onProblem: LogOptions['onProblem'];
}

/** Bytes read and hashed in one turn of the event loop, and records summarized. */
const partBytes = 256 * 1024;
const recordsPerStep = 256;
/** The same by bytes of records, which may hold many jobs each. */
const bytesPerStep = 64 * 1024;

/** Thrown to abandon a summary: its segment is being dropped, or the log closes. */
class Abandoned extends Error {}

/** A transient error: the summary is retried later. */
class RetryLater extends Error {}

export class SummaryKeeper {
  readonly #options: SummaryKeeperOptions;
  #waiting: SealedSegment[] = [];
  #current: SealedSegment | null = null;
  #working: Promise<void> | null = null;
  /** Segments before this one are being dropped. */
  #neededFrom = 0;
  #stopped = false;
  readonly #retryDelay: RetryDelay;
  #failures = 0;

  constructor(options: SummaryKeeperOptions) {
    this.#options = options;
    this.#retryDelay = new RetryDelay(options.scheduler);
  }

  add(segment: SealedSegment): void {
    this.#waiting.push(segment);
    if (!this.#stopped) this.#working ??= this.#work();
  }

  /** Gives up segments before `number`; resolves when their files are not in use. */
  async release(number: number): Promise<void> {
    this.#neededFrom = Math.max(this.#neededFrom, number);
    while (this.#current !== null && this.#current.number < number) {
      await this.#options.scheduler.afterThisRound();
    }
  }

  /** Abandons the summary being made; resolves when no file is in use. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retryDelay.stop();
    await this.#working;
  }

  async #work(): Promise<void> {
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        this.#current = next;
        await this.#tryToMake(next);
      }
    } catch (error) {
      this.#stopped = true;
      this.#options.onFailure(error);
    }
    this.#current = null;
    this.#working = null;
  }

  async #tryToMake(segment: SealedSegment): Promise<void> {
    try {
      await this.#make(segment);
      if (this.#failures > 0) this.#options.onProblem('summary', null);
      this.#failures = 0;
    } catch (error) {
      if (error instanceof Abandoned || (error instanceof RetryLater && this.#stopped)) return;
      if (!(error instanceof RetryLater)) throw error;
      await this.#waitAfter(segment, error);
    }
  }

  async #waitAfter(segment: SealedSegment, error: RetryLater): Promise<void> {
    this.#failures += 1;
    this.#options.onProblem('summary', error.message);
    this.#waiting.unshift(segment);
    // `release` need not wait for the retry.
    this.#current = null;
    await this.#retryDelay.wait(retryDelayMs(this.#failures));
  }

  #next(): SealedSegment | undefined {
    return this.#stopped ? undefined : this.#waiting.shift();
  }

  /** Yields to the event loop. @throws Abandoned */
  async #pause(segment: SealedSegment): Promise<void> {
    await this.#options.scheduler.afterThisRound();
    if (this.#stopped || segment.number < this.#neededFrom) throw new Abandoned();
  }

  async #make(segment: SealedSegment): Promise<void> {
    const { disk, dir } = this.#options;
    const summarizer = this.#options.summarize();
    const path = join(dir, segmentName(segment.number));
    await this.#pause(segment);
    const file = await disk.openForReading(path).catch(retryLater);
    let sha256: Uint8Array;
    try {
      sha256 = await this.#feed(segment, { path, file }, summarizer);
    } finally {
      await file.close();
    }
    const records = new SummaryRecords();
    for (const record of summarizer.finish()) {
      records.add(record);
      if (records.count % recordsPerStep === 0) await this.#pause(segment);
    }
    await this.#pause(segment);
    await this.#write(segment, encodeSummary(headOf(segment, sha256), segment.index, records));
  }

  /** Reads the segment in parts, verifies it and passes on its records; returns its hash. */
  async #feed(
    segment: SealedSegment,
    { path, file }: { path: string; file: ReadableFile },
    summarizer: Summarizer,
  ): Promise<Uint8Array> {
    const hash = createHash('sha256');
    const { number } = segment;
    let cursor: LogCursor | null = null;
    let buffer = Buffer.alloc(0);
    for (const [from, to] of partsOf(segment)) {
      if (buffer.length < to - from) buffer = Buffer.allocUnsafeSlow(to - from);
      const bytes = buffer.subarray(0, to - from);
      const filled = await file.read(bytes, from).catch(retryLater);
      hash.update(bytes);
      const part = { path, number, bytes: bytes.subarray(0, filled), atByte: from };
      const found: StoredRecord[] = [];
      cursor = cursor === null ? readHeader(part) : readPart(part, cursor, found);
      await this.#pause(segment);
      let step = 0;
      for (const record of found) {
        summarizer.add(record);
        step += 1 / recordsPerStep + record.bytes.length / bytesPerStep;
        if (step < 1) continue;
        await this.#pause(segment);
        step = 0;
      }
    }
    if (cursor?.chain !== segment.after.chain) {
      throw damagedAfterStart({ path, number, bytes: buffer }, segment.bytes);
    }
    return hash.digest();
  }

  /** Skipped on a nearly full disk: the next start reads the segment instead. */
  async #write(segment: SealedSegment, content: readonly Uint8Array[]): Promise<void> {
    const { disk, dir, segmentBytesMax } = this.#options;
    const name = summaryName(segment.number);
    const space = await disk.space(dir).catch(retryLater);
    const needed = content.reduce((sum, { length }) => sum + length, 0);
    const { lowBytes } = spaceLimits(space, segmentBytesMax);
    if (space.freeBytes - needed < lowBytes) return;
    try {
      const file = await replaceFile(disk, dir, name, content);
      segment.summaryFile = true;
      await file.close();
    } catch (error) {
      if (!(error instanceof NotCreatedError)) throw error;
      retryLater(error);
    }
  }
}

function retryLater(error: unknown): never {
  throw new RetryLater(messageOf(error));
}

/** The ranges in which the segment is read: its header, then whole batches. */
function* partsOf({ index, bytes }: SealedSegment): Generator<readonly [number, number]> {
  let from = 0;
  let to = segmentHeaderBytes;
  for (let batch = 0; batch <= index.count; batch++) {
    const end = index.at(batch)?.atByte ?? bytes;
    if (from === 0 || end - from > partBytes) {
      if (to > from) yield [from, to];
      from = to;
    }
    to = end;
  }
  if (to > from) yield [from, to];
}

function readHeader(part: SegmentPart): LogCursor {
  const header = decodeSegmentHeader(part.bytes);
  if (!header.ok) throw damagedAfterStart(part, 0);
  return header.cursor;
}

function readPart(part: SegmentPart, cursor: LogCursor, found: StoredRecord[]): LogCursor {
  const scan = scanBatches(part, cursor, ({ header, records }) => {
    for (const [at, bytes] of records.entries()) {
      found.push({ offset: header.firstOffset + at, bytes });
    }
  });
  if (scan.damage !== null) throw damagedAfterStart(part, scan.damage.atByte);
  return scan.cursor;
}

function headOf({ number, bytes, before, after }: SealedSegment, sha256: Uint8Array) {
  return { logId: after.logId, segment: number, segmentBytes: bytes, before, after, sha256 };
}
