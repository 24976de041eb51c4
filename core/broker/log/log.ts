/**
 * The open log: buffers records, commits them in groups with one write and one fdatasync in flight,
 * rotates segments, writes marks, reads and drops. It stops at its first error: a second fdatasync
 * could report success for pages that the kernel dropped.
 */

import { asError } from '../../base/index.ts';
import type { Log, LogOptions, Scheduler, SegmentInfo } from './contract.ts';
import type { Disk, DiskFile } from './disk/disk.ts';
import { failFastDisk, failFastFile } from './disk/fail-fast-disk.ts';
import { type BatchKind, type LogCursor, recordBytesMax } from './format/format.ts';
import { type OpenProof, ProvenFile } from './format/proven-end.ts';
import { RecordReader } from './reader.ts';
import type { SegmentTable } from './segments.ts';
import { Batch } from './write/batch.ts';
import { Dropping } from './write/dropping.ts';
import { makeSummary } from './write/make-summary.ts';
import { PendingBatches } from './write/pending.ts';
import { Rotation } from './write/rotation.ts';
import { SummaryKeeper } from './write/summaries.ts';
import { TailWriter } from './write/tail-writer.ts';

export interface SegmentLogOptions extends LogOptions {
  readonly disk: Disk;
  readonly scheduler: Scheduler;
  readonly markIdleMs: number;
  readonly cacheBytesMax: number;
  readonly summaryQuietMs: number;
  readonly segments: SegmentTable;
  /** The last segment, open and durable. */
  readonly file: DiskFile;
  readonly cursor: LogCursor;
  readonly proof: OpenProof;
}

export class SegmentLog implements Log {
  readonly #options: SegmentLogOptions;
  readonly #segments: SegmentTable;
  readonly #writer: TailWriter;
  readonly #proven: ProvenFile;
  readonly #rotation: Rotation;
  readonly #reader: RecordReader;
  readonly #summaries: SummaryKeeper;
  readonly #pending: PendingBatches;
  #endOffset: number;
  #durableOffset: number;
  #lastKind: BatchKind = 'mark';
  /** Commits under way; null when there is nothing to commit. */
  #committing: Promise<void> | null = null;
  readonly #drop: Dropping;
  #dropping: Promise<void> = Promise.resolve();
  #logStartWritten: PromiseWithResolvers<void> | null = null;
  #closing: Promise<void> | null = null;
  #failure: Error | null = null;
  #cancelMark: () => void = () => undefined;

  constructor(options: SegmentLogOptions) {
    const { dir, segments, cursor, cacheBytesMax } = options;
    this.#options = options;
    const check = () => {
      if (this.#failure !== null) throw this.#failure;
    };
    // After a failure every operation throws it.
    const disk = failFastDisk(options.disk, check);
    const file = failFastFile(options.file, check);
    const proof = options.proof.file && failFastFile(options.proof.file, check);
    this.#segments = segments;
    this.#writer = new TailWriter({ ...options, disk, file });
    this.#rotation = new Rotation({
      ...options,
      writer: this.#writer,
      onDue: () => void this.#commitSoon(),
      failure: () => this.#failure,
    });
    this.#proven = new ProvenFile(disk, dir, { ...options.proof, file: proof });
    this.#reader = new RecordReader({ ...options, logId: cursor.logId, cacheBytesMax });
    this.#pending = new PendingBatches(() => this.#reader.recycle());
    const { summarize } = options;
    this.#summaries = new SummaryKeeper({
      makeSummary: (segment, pause) => makeSummary(segment, { disk, dir, summarize, pause }),
      ...options,
      disk,
      dir,
      quietMs: options.summaryQuietMs,
      onFailure: (error) => this.#fail(error),
    });
    this.#drop = new Dropping({
      ...options,
      disk,
      summaries: this.#summaries,
      reader: this.#reader,
      writeLogStart: (first) => this.#writeLogStart(first),
      onFailure: (error) => this.#fail(error),
    });
    this.#endOffset = cursor.nextOffset - 1;
    this.#durableOffset = this.#endOffset;
    for (const sealed of segments.sealed) {
      if (!sealed.summaryFile) this.#summaries.add(sealed);
    }
  }

  get id(): string {
    return Buffer.from(this.#options.cursor.logId).toString('hex');
  }

  get endOffset(): number {
    return this.#endOffset;
  }

  get durableOffset(): number {
    return this.#durableOffset;
  }

  get firstOffset(): number {
    return this.#segments.firstOffset;
  }

  get bytes(): number {
    return this.#segments.bytes;
  }

  get unwrittenBytes(): number {
    return this.#pending.bytes;
  }

  get segments(): readonly SegmentInfo[] {
    return this.#segments.infos;
  }

  /**
   * @throws Error after a failure or `close`
   * @throws RangeError when the record is too large
   */
  append(record: Uint8Array): number {
    this.#throwIfEnded();
    if (record.length > recordBytesMax) {
      throw new RangeError(
        `a record of ${record.length} bytes is too large for the log (at most ${recordBytesMax})`,
      );
    }
    this.#pending.append(record, this.#endOffset + 1);
    this.#endOffset += 1;
    void this.#commitSoon();
    return this.#endOffset;
  }

  read(offset: number): Uint8Array | Promise<Uint8Array> {
    if (!Number.isSafeInteger(offset)) throw new RangeError(`${offset} is no offset of a record`);
    return this.#pending.read(offset) ?? this.#reader.read(offset);
  }

  async dropBefore(offset: number): Promise<void> {
    this.#throwIfEnded();
    if (!(offset >= 1 && offset <= this.#endOffset + 1)) {
      throw new RangeError(`cannot drop before ${offset}: the log ends at ${this.#endOffset}`);
    }
    const dropped = this.#dropping.then(() => this.#drop.before(offset));
    // Its error goes to its caller and to onFailure; the next drop is independent of it.
    this.#dropping = dropped.catch(() => undefined);
    await dropped;
  }

  /**
   * May be called again; every call gives the same promise.
   * @throws Error when the log failed, before or while closing: it is not closed cleanly then
   */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  #throwIfEnded(): void {
    if (this.#failure !== null) {
      throw new Error('the log failed and takes nothing more', { cause: this.#failure });
    }
    if (this.#closing !== null) throw new Error('the log is closed and takes nothing more');
  }

  #commitSoon(): Promise<void> {
    this.#committing ??= this.#commitPending();
    return this.#committing;
  }

  /** Commits until nothing is pending. Starts when this round of I/O events has been handled. */
  async #commitPending(): Promise<void> {
    await this.#options.scheduler.afterThisRound();
    this.#cancelMark();
    try {
      for (;;) {
        // Checked each time: it may have become due while the batches before were written.
        if (this.#rotation.isOverdue) await this.#rotate();
        const next = this.#next();
        if (next === undefined) break;
        await this.#commit(next);
      }
      this.#markWhenIdle();
    } catch (error) {
      this.#fail(error);
    }
    this.#committing = null;
  }

  #next(): Batch | undefined {
    return this.#failure === null ? this.#pending.next : undefined;
  }

  /** One group: as many batches as this segment takes, one write, one fdatasync. */
  async #commit(next: Batch): Promise<void> {
    if (this.#writer.isFullFor(next)) await this.#rotate();
    const batches = this.#pending.take(this.#rotation.room);
    await this.#writer.write(batches);
    await this.#prove(batches.at(-1)?.kind !== 'records');
    let durableOffset = this.#durableOffset;
    for (const batch of batches) {
      this.#lastKind = batch.kind;
      durableOffset += batch.recordCount;
      if (batch.kind === 'logStart') this.#logStartWritten?.resolve();
      if (batch.kind === 'records') this.#keepForReading(batch);
    }
    this.#pending.written();
    this.#summaries.onCommit();
    if (durableOffset === this.#durableOffset) return;
    this.#durableOffset = durableOffset;
    this.#options.onDurable(durableOffset);
  }

  async #rotate(): Promise<void> {
    const sealed = await this.#rotation.begin();
    if (sealed === null) return;
    this.#summaries.add(sealed);
    await this.#prove(true);
  }

  /** Updates the proven end, after the update of the previous commit was written. */
  async #prove(isIdle: boolean): Promise<void> {
    await this.#proven.noted();
    this.#proven.note(this.#writer.end);
    if (isIdle) await this.#proven.sync();
  }

  #keepForReading(batch: Batch): void {
    const { kept, buffer } = batch.detach();
    this.#reader.keep(kept);
    if (buffer !== null) this.#pending.reuse(buffer);
  }

  /** Writes a mark when idle: only a header written later proves the last group durable. */
  #markWhenIdle(): void {
    if (this.#lastKind !== 'records' || this.#closing !== null) return;
    this.#cancelMark = this.#options.scheduler.after(this.#options.markIdleMs, () => {
      if (this.#committing === null && this.#closing === null) void this.#mark('mark');
    });
  }

  #mark(kind: 'mark' | 'cleanMark'): Promise<void> {
    this.#pending.push(Batch.mark(kind, this.#endOffset + 1));
    return this.#commitSoon();
  }

  /** Resolves when it is durable, and with it everything appended before the call. */
  async #writeLogStart({ number, firstOffset }: SegmentInfo): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    const logStart = { segment: number, offset: firstOffset };
    this.#logStartWritten = Promise.withResolvers();
    this.#pending.push(Batch.logStart(logStart, this.#endOffset + 1));
    void this.#commitSoon();
    await this.#logStartWritten.promise;
  }

  async #shutDown(): Promise<void> {
    const summariesStopped = this.#summaries.stop();
    await this.#dropping;
    // The clean mark proves everything before it durable, so it needs a commit of its own.
    await this.#commitSoon();
    if (this.#failure === null) await this.#mark('cleanMark');
    // After the last commit, which may have needed the next segment.
    this.#rotation.stop();
    try {
      await summariesStopped;
      await this.#reader.close();
      await this.#writer.close();
      await this.#proven.close();
    } catch (error) {
      this.#fail(error);
    }
    if (this.#failure !== null) throw this.#failure;
  }

  #fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = asError(error);
    this.#logStartWritten?.reject(this.#failure);
    void this.#summaries.stop();
    this.#rotation.stop();
    this.#options.onFailure(this.#failure);
  }
}
