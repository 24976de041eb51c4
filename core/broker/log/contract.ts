/** The interface of the log: `log.ts` implements it on disk, tests in memory. */

import type { Disk } from './disk/disk.ts';
import type { BatchIndex } from './format/batch-index.ts';
import type { LogCursor } from './format/format.ts';

/**
 * Records in order, numbered from 1: a record's number is its *offset*. `append` is synchronous and
 * only buffers; one write + fdatasync is in flight at a time, and everything appended meanwhile
 * rides the next (group commit). A record stays readable by its offset until it is dropped.
 */
export interface Log {
  /** The log's id in hex. Files derived from the log carry it. */
  readonly id: string;
  /** Buffers a record and returns its offset. The bytes are copied before it returns. */
  append(record: Uint8Array): number;
  /** Offset of the last record appended; 0 when there is none. */
  readonly endOffset: number;
  /** Every record up to here passed fdatasync, in a file whose directory entry did too. */
  readonly durableOffset: number;
  /** Offset of the first record that was not dropped. */
  readonly firstOffset: number;
  /** Bytes of all segments on disk. */
  readonly bytes: number;
  /** Bytes appended that need not be on disk yet. */
  readonly unwrittenBytes: number;
  /** The segments, oldest first; the last one is being written. */
  readonly segments: readonly SegmentInfo[];
  /**
   * The bytes of a record that was appended, at once when they are in memory (just written, or
   * near what was read before). The bytes are a view that stays good; checksums were checked.
   * @throws RangeError when the record was dropped or never appended
   * @throws LogDamagedError (or rejects with it) when a checksum does not fit
   */
  read(offset: number): Uint8Array | Promise<Uint8Array>;
  /**
   * Records durably that nothing before `offset` is needed any more, then removes the segments that
   * end before it. Resolves when their space is free.
   * @throws NotCreatedError (as a rejection) on a transient error; nothing was changed
   */
  dropBefore(offset: number): Promise<void>;
  /** Waits for everything appended, writes the clean mark, closes the files. */
  close(): Promise<void>;
}

export interface SegmentInfo {
  readonly number: number;
  readonly firstOffset: number;
  /** Offset of its last durable record; smaller than `firstOffset` when it holds none. */
  readonly lastOffset: number;
  readonly bytes: number;
}

/** A segment that gets no more batches, with the cursors that its summary must match. */
export interface SealedSegment extends SegmentInfo {
  readonly index: BatchIndex;
  /** The cursors before its header and after its last batch. */
  readonly before: LogCursor;
  readonly after: LogCursor;
  /** Whether its summary file exists, valid or not. */
  summaryFile: boolean;
}

export interface LogOptions {
  /** Folder of the segments; made when missing. */
  readonly dir: string;
  readonly segmentBytesMax: number;
  /** Replaces the disk in tests and simulation. */
  readonly disk?: Disk;
  /** Replaces the event loop in simulation. */
  readonly scheduler?: Scheduler;
  /** Begins the summary of one segment. See `docs/reference/log-format.md`. */
  readonly summarize: () => Summarizer;
  /** Makes the summaries elsewhere, by the same `summarize`. Default: in steps on this event loop. */
  readonly makeSummary?: SummaryMaker;
  /** Called after each group commit, never from inside `append`. */
  readonly onDurable: (durableOffset: number) => void;
  /** A write, a sync or a rename failed. The log accepts nothing more; the broker must stop. */
  readonly onFailure: (error: Error) => void;
  /** An operation fails for `reason` and is retried; null when it works again. */
  readonly onProblem: (what: LogOperation, reason: string | null) => void;
}

/** Operations that are retried: creating the next segment, and writing a summary. */
export type LogOperation = 'segment' | 'summary';

/**
 * Makes the content of the summary of a sealed segment. `pause` is awaited between steps where it works on
 * the event loop.
 * @throws RetryLater (rejects with it) on a transient error
 */
export type SummaryMaker = (
  segment: SealedSegment,
  pause: () => Promise<void>,
) => Promise<readonly Uint8Array[]>;

/** A record with its offset. */
export interface StoredRecord {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Makes the summary of one segment from its records, incrementally, so that a large segment does not
 * block the event loop: each call works on one record only.
 */
export interface Summarizer {
  /** Takes the segment's next record. The bytes are a view: copy what must outlive the call. */
  add(record: StoredRecord): void;
  /** Records in order that result in the same state, without bodies. Consumed one by one. */
  finish(): Iterable<StoredRecord>;
}

/** Timing of work on the event loop. */
export interface Scheduler {
  /** Resolves when this round of I/O events has been handled. */
  afterThisRound(): Promise<void>;
  /** Calls back after `ms`, unless the function that it returns was called before. */
  after(ms: number, callback: () => void): () => void;
}

/** Receives the records of the log, in order, during recovery. */
export interface Replay {
  /**
   * Called first. Records up to `compactedUpTo` may be about jobs whose older records were dropped,
   * because compaction rewrote those jobs before that offset. 0 when nothing was ever dropped.
   */
  begin(compactedUpTo: number): void;
  /** A record, or its short form from a summary. The bytes are a view: copy what must outlive the call. */
  record(bytes: Uint8Array, offset: number): void;
  /** Called before each segment with the number of those that were read. */
  progress?(segments: number, segmentsTotal: number): void;
}

/** What recovery found and did. */
export interface RecoveryReport {
  readonly segments: number;
  /** Records read one by one, and summaries read instead of segments. */
  readonly records: number;
  readonly summaries: number;
  readonly bytes: number;
  /** True when the last run closed the log itself. */
  readonly clean: boolean;
  /** State of the file that proves the end of the log; always `good` for a new log. */
  readonly proof: 'good' | 'missing' | 'damaged';
  /** The torn tail that was cut off, if there was one. */
  readonly tornTail: {
    readonly segment: string;
    readonly atByte: number;
    readonly bytes: number;
    /** The file that it was copied to; null when the disk had no room for that. */
    readonly keptAs: string | null;
  } | null;
}

/** The log is damaged where it may hold accepted jobs, or is of an unknown version: refuse to start. */
export class LogDamagedError extends Error {
  readonly file: string;
  readonly atByte: number;

  constructor(file: string, atByte: number, message: string) {
    super(message);
    this.name = 'LogDamagedError';
    this.file = file;
    this.atByte = atByte;
  }
}
