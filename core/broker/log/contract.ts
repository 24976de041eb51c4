/** What the broker needs of its log; `log.ts` keeps it on disk, tests may keep it in memory. */

/**
 * Records in order, numbered from 1: a record's number is its *offset*. `append` is synchronous and
 * only buffers; one write + fdatasync is in flight at a time, and everything appended meanwhile
 * rides the next (group commit).
 */
export interface Log {
  /** Buffers a record and returns its offset. The bytes are copied before it returns. */
  append(record: Uint8Array): number;
  /** Offset of the last record appended; 0 when there is none. */
  readonly endOffset: number;
  /** Every record up to here passed fdatasync, in a file whose directory entry did too. */
  readonly durableOffset: number;
  /** Bytes of all segments on disk. */
  readonly bytes: number;
  /** Waits for everything appended, writes the clean mark, closes the files. */
  close(): Promise<void>;
}

export interface LogOptions {
  /** Folder of the segments; made when missing. */
  readonly dir: string;
  readonly segmentBytesMax: number;
  /** Called after each group commit, never from inside `append`. */
  readonly onDurable: (durableOffset: number) => void;
  /** A write, fdatasync or rotation failed. The log takes nothing more; the broker must stop. */
  readonly onFailure: (error: Error) => void;
}

/** What recovery found and did. */
export interface RecoveryReport {
  readonly segments: number;
  readonly records: number;
  readonly bytes: number;
  /** True when the last run closed the log itself. */
  readonly clean: boolean;
  /** The torn tail that was cut off and kept aside, if there was one. */
  readonly tornTail: {
    readonly segment: string;
    readonly atByte: number;
    readonly bytes: number;
    readonly keptAs: string;
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
