/**
 * Feeds durable records to the history, read from the log by offset. Nothing is buffered for a slow or
 * stopped history: the feeder stops and later continues from the log, so memory is bounded however
 * far behind the history is.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageOf } from '../../base/index.ts';
import { type Chunk, ChunkBuilder, isOfInterest } from './chunk.ts';
import { withoutBodies } from './job-fold.ts';

/** The part of the log that the history reads. */
export interface RecordSource {
  /** The record's bytes, at once when they are in memory. @throws RangeError when it was dropped */
  read(offset: number): Uint8Array | Promise<Uint8Array>;
  /** Offset of the first record that was not dropped. */
  readonly firstOffset: number;
  readonly durableOffset: number;
}

export interface FeederOptions {
  readonly source: RecordSource;
  /** Receives a chunk. */
  readonly send: (chunk: Chunk) => void;
  /** Records that the history needs were dropped: it must be rebuilt. */
  readonly onGap: () => void;
  readonly onNotice: (text: string) => void;
}

/** Bounds the time that one chunk takes from the broker's own work. */
const chunkRecordsMax = 1_000;
const chunkBytesMax = 256 * 1024;
/** Bytes sent and not applied yet: more than a transaction of the thread. */
const bytesAheadMax = 6 * 1024 * 1024;
/** Records are gathered for this long: fewer messages, and the log still has them cached. */
const gatherMs = 25;
/** Delay before a failed read of the log is retried. */
const retryMs = 1_000;

export class Feeder {
  readonly #options: FeederOptions;
  readonly #builder = new ChunkBuilder();
  /** The record to read next; null while there is no history to feed. */
  #next: number | null = null;
  #bytesAhead = 0;
  /** Incremented when a read in progress becomes obsolete. */
  #run = 0;
  #isPumping = false;
  #isPaused = false;
  #hasReportedError = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FeederOptions) {
    this.#options = options;
  }

  /** The history is open and holds everything up to `offset`. */
  begin(offset: number): void {
    this.stop();
    this.#next = Math.max(offset + 1, this.#options.source.firstOffset);
    this.flush();
  }

  /** There is no history to feed until `begin`. */
  stop(): void {
    this.#run++;
    this.#next = null;
    this.#bytesAhead = 0;
    this.#hasReportedError = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Pauses reading, for example on a full disk; `false` resumes. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (!isPaused) this.flush();
  }

  /** More became durable. Cheap: it is called after each group commit. */
  onDurable(): void {
    if (this.#timer !== undefined || this.#isPumping || !this.#wants) return;
    this.#timer = setTimeout(() => this.flush(), gatherMs).unref();
  }

  /** The thread has applied chunks of so many bytes. */
  applied(bytes: number): void {
    this.#bytesAhead -= bytes;
    this.onDurable();
  }

  /** Sends what is durable without waiting for more. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#isPumping) void this.#pump();
  }

  /** True when there are records to send, and the window allows it. */
  get #wants(): boolean {
    return (
      !this.#isPaused &&
      this.#next !== null &&
      this.#next <= this.#options.source.durableOffset &&
      this.#bytesAhead < bytesAheadMax
    );
  }

  /** Sends while there are full chunks; the rest is gathered for a while. */
  async #pump(): Promise<void> {
    this.#isPumping = true;
    while (this.#wants && (await this.#sendOne(this.#run, this.#next ?? 0))) {
      // The broker's own work comes first.
      await nextTurn(undefined, { ref: false });
    }
    this.#isPumping = false;
    this.onDurable();
  }

  /**
   * Reads a chunk from offset `next` on and sends it, unless it became obsolete meanwhile. Returns
   * whether it was full.
   */
  async #sendOne(run: number, next: number): Promise<boolean> {
    const { source, send } = this.#options;
    const end = Math.min(source.durableOffset, next + chunkRecordsMax - 1);
    let offset = next;
    try {
      for (; offset <= end && this.#builder.bytes < chunkBytesMax; offset++) {
        const found = this.#read(offset);
        const record = found instanceof Uint8Array ? found : await found;
        if (isOfInterest(record)) this.#builder.add(withoutBodies(record));
      }
    } catch (error) {
      this.#builder.take(0);
      if (run === this.#run) this.#handleReadError(error);
      return false;
    }
    const chunk = this.#builder.take(offset - 1);
    if (run !== this.#run) return true;
    this.#next = offset;
    this.#bytesAhead += chunk.bytes.length;
    send(chunk);
    return offset <= end || end - next + 1 === chunkRecordsMax;
  }

  /** A record; a damaged one is replaced by an empty one. Throws or rejects as the log does. */
  #read(offset: number): Uint8Array | Promise<Uint8Array> {
    const leaveOut = (error: unknown): Uint8Array => this.#leaveOut(offset, error);
    try {
      const found = this.#options.source.read(offset);
      return found instanceof Uint8Array ? found : found.catch(leaveOut);
    } catch (error) {
      return leaveOut(error);
    }
  }

  #leaveOut(offset: number, error: unknown): Uint8Array {
    // By name, because `search/` does not import the log.
    if (!(error instanceof Error) || error.name !== 'LogDamagedError') throw error;
    if (!this.#hasReportedError) {
      this.#hasReportedError = true;
      const what = `record ${offset} of the log is damaged and left out of searches`;
      this.#options.onNotice(`history: ${what}: ${error.message}`);
    }
    return nothing;
  }

  /** The log could not be read: rebuilds after dropped records, retries after any other error. */
  #handleReadError(error: unknown): void {
    const { onGap, onNotice } = this.#options;
    if (error instanceof RangeError) {
      onGap();
      return;
    }
    if (!this.#hasReportedError) {
      this.#hasReportedError = true;
      const why = messageOf(error);
      onNotice(`history: the log cannot be read, searches miss new changes; retrying: ${why}`);
    }
    this.#timer = setTimeout(() => this.flush(), retryMs).unref();
  }
}

const nothing = new Uint8Array(0);
