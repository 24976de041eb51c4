/**
 * Brings the history what became durable, read from the log by offset. Nothing is kept for a
 * history that is slow or down: the feeder stops, and reads on from the log when there is room, so
 * memory is bounded however far behind the history is.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Chunk, ChunkBuilder, isOfInterest } from './chunk.ts';

/** The part of the log that the history reads. */
export interface RecordSource {
  /** The record's bytes, at once when they are in memory. @throws RangeError when it was dropped */
  read(offset: number): Uint8Array | Promise<Uint8Array>;
  /** Offset of the first record that is still there. */
  readonly firstOffset: number;
  readonly durableOffset: number;
}

export interface FeederOptions {
  readonly source: RecordSource;
  /** Takes a chunk. */
  readonly send: (chunk: Chunk) => void;
  /** Records that the history needs are gone: it has to begin anew. */
  readonly onGap: () => void;
  readonly onNotice: (text: string) => void;
}

/** More would hold up the broker's own work for too long. */
const chunkRecordsMax = 1_000;
const chunkBytesMax = 256 * 1024;
/** What may be on its way to the thread, or gathers there: more than makes it apply them. */
const bytesAheadMax = 6 * 1024 * 1024;
/** Records of so much time travel together: fewer messages, and the log still has them in memory. */
const gatherMs = 25;
/** After the log could not be read. */
const retryMs = 1_000;

export class Feeder {
  readonly #options: FeederOptions;
  readonly #builder = new ChunkBuilder();
  /** The record to read next; null while there is no history to feed. */
  #next: number | null = null;
  #bytesAhead = 0;
  /** Changes whenever what is being read has become pointless. */
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

  /** Stops reading for a while, say because the disk is full; `false` goes on. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (!isPaused) this.flush();
  }

  /** More became durable. Cheap: it is called after each group commit. */
  onDurable(): void {
    if (this.#timer !== undefined || this.#isPumping || !this.#wants) return;
    this.#timer = setTimeout(() => this.flush(), gatherMs).unref();
  }

  /** The thread has applied so many bytes of chunks. */
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

  /** True when there is something to send, and room for it. */
  get #wants(): boolean {
    return (
      !this.#isPaused &&
      this.#next !== null &&
      this.#next <= this.#options.source.durableOffset &&
      this.#bytesAhead < bytesAheadMax
    );
  }

  /** Sends as long as full chunks are waiting; the rest gathers for a while. */
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
   * Reads a chunk from offset `next` on and sends it, unless it became pointless meanwhile. Returns
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
        if (isOfInterest(record)) this.#builder.add(record);
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

  /** A record; one that is damaged counts as a record of nothing. Throws or rejects as the log does. */
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
    // By name, because this part of the broker knows nothing of the log's.
    if (!(error instanceof Error) || error.name !== 'LogDamagedError') throw error;
    if (!this.#hasReportedError) {
      this.#hasReportedError = true;
      const what = `a record is left out, at offset ${offset}`;
      this.#options.onNotice(`history: ${what}: ${error.message}`);
    }
    return nothing;
  }

  /** The log could not be read. What was dropped will not come back; anything else is tried again. */
  #handleReadError(error: unknown): void {
    const { onGap, onNotice } = this.#options;
    if (error instanceof RangeError) {
      onGap();
      return;
    }
    if (!this.#hasReportedError) {
      this.#hasReportedError = true;
      const why = error instanceof Error ? error.message : String(error);
      onNotice(`history: the log cannot be read now, searches miss what is new: ${why}`);
    }
    this.#timer = setTimeout(() => this.flush(), retryMs).unref();
  }
}

const nothing = new Uint8Array(0);
