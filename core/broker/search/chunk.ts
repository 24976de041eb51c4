/**
 * Batches of records on their way to the history's thread: in one buffer, which is transferred and not
 * copied. Each record is a u32 length and its bytes.
 */

/** Records in order. */
export interface Chunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many records it has. */
  readonly records: number;
  /** The history is at this offset when it has applied the chunk. */
  readonly upTo: number;
}

const lengthBytes = 4;
/** Large enough to be allocated by mmap and so returned to the system: see `brokerMemory` in `core/host`. */
const bytesFirst = 32 * 1024;

/** Numbers of the record kinds that change what search knows. See `records.ts`. */
const kindsOfInterest: ReadonlySet<number> = new Set([2, 3, 4, 5, 6, 9, 10, 11, 22, 30, 31, 32]);

/** True when the record may be about a job; others are not sent to the thread. */
export function isOfInterest(record: Uint8Array): boolean {
  return kindsOfInterest.has(record[0] ?? 0);
}

/** Gathers records into one buffer. */
export class ChunkBuilder {
  #buffer = new Uint8Array(bytesFirst);
  #view = new DataView(this.#buffer.buffer);
  #used = 0;
  #records = 0;

  /** Bytes gathered so far. */
  get bytes(): number {
    return this.#used;
  }

  add(record: Uint8Array): void {
    const at = this.#used;
    const end = at + lengthBytes + record.length;
    if (end > this.#buffer.length) this.#grow(end);
    this.#view.setUint32(at, record.length);
    this.#buffer.set(record, at + lengthBytes);
    this.#used = end;
    this.#records++;
  }

  /** The chunk of the gathered records. The builder is empty and reusable afterwards. */
  take(upTo: number): Chunk {
    const bytes = this.#buffer.subarray(0, this.#used);
    const chunk = { bytes, records: this.#records, upTo };
    this.#use(new Uint8Array(bytesFirst));
    this.#used = 0;
    this.#records = 0;
    return chunk;
  }

  #grow(bytes: number): void {
    const grown = new Uint8Array(Math.max(bytes, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.#used));
    this.#use(grown);
  }

  #use(buffer: Uint8Array<ArrayBuffer>): void {
    this.#buffer = buffer;
    this.#view = new DataView(buffer.buffer);
  }
}

/** The records of a chunk, as views. */
export function* recordsOf({ bytes }: Chunk): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const start = at + lengthBytes;
    at = start + view.getUint32(at);
    yield bytes.subarray(start, at);
  }
}
