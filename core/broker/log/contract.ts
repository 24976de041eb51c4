/** What the broker needs of its log; `log.ts` keeps it on disk, tests may keep it in memory. */

import type { Disk } from './disk.ts';

/**
 * Records in order, numbered from 1: a record's number is its *offset*. `append` is synchronous and
 * only buffers; one write + fdatasync is in flight at a time, and everything appended meanwhile
 * rides the next (group commit). A record stays readable by its offset until it is dropped.
 */
export interface Log {
  /** The log's own id, as text: what was made from another log does not fit this one. */
  readonly id: string;
  /** Buffers a record and returns its offset. The bytes are copied before it returns. */
  append(record: Uint8Array): number;
  /** Offset of the last record appended; 0 when there is none. */
  readonly endOffset: number;
  /** Every record up to here passed fdatasync, in a file whose directory entry did too. */
  readonly durableOffset: number;
  /** Offset of the first record that is still there. */
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
   * States durably that nothing before `offset` is needed any more, then removes the segments that
   * hold nothing else. Resolves when the space is free.
   * @throws NotMadeError (as a rejection) when that cannot be done for now; nothing was changed
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

export interface LogOptions {
  /** Folder of the segments; made when missing. */
  readonly dir: string;
  readonly segmentBytesMax: number;
  /** Stands in for the disk in tests and simulation. */
  readonly disk?: Disk;
  /** Stands in for the event loop in simulation. */
  readonly scheduler?: Scheduler;
  /** Begins the summary of one segment. See `docs/reference/log-format.md`. */
  readonly summarize: () => Summarizer;
  /** Called after each group commit, never from inside `append`. */
  readonly onDurable: (durableOffset: number) => void;
  /** A write, a sync or a change of a name failed. The log takes nothing more; the broker must stop. */
  readonly onFailure: (error: Error) => void;
  /** Something cannot be done for now and is tried again, and why; null when it works again. */
  readonly onTrouble: (what: LogTrouble, reason: string | null) => void;
}

/** The next segment, or a summary, cannot be made. */
export type LogTrouble = 'segment' | 'summary';

/** A record with its place. */
export interface StoredRecord {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Shortens what one segment says. It is fed in pieces, so that a large segment never holds up the
 * event loop: neither call may do work for more than the record at hand.
 */
export interface Summarizer {
  /** Takes the segment's next record. The bytes are a view: copy what must outlive the call. */
  add(record: StoredRecord): void;
  /** Those records that make the same state, in order, bodies left out; taken one by one. */
  finish(): Iterable<StoredRecord>;
}

/** When things happen that nobody waits for. */
export interface Scheduler {
  /** Resolves when this round of I/O events has been handled. */
  afterThisRound(): Promise<void>;
  /** Calls back after `ms`, unless the function that it returns was called before. */
  after(ms: number, callback: () => void): () => void;
}

/** How recovery hands over what the log holds, in order. */
export interface Replay {
  /**
   * Told first: records up to `offset` may be about jobs whose older records were dropped, because
   * compaction said those jobs again before that offset. 0 when nothing was ever dropped.
   */
  begin(compactedUpTo: number): void;
  /** A record, or its short form from a summary. The bytes are a view: copy what must outlive the call. */
  record(bytes: Uint8Array, offset: number): void;
  /** So many of the segments have been read; told before each of them. */
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
  /** Whether a file beside the segments could tell that the end is whole; always `good` for a new log. */
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
