/**
 * Reading and writing the primitive wire types. Integers are big-endian; text and bytes carry a
 * u32 length. A reader never trusts a length: it is checked against the bytes that are there
 * before anything is allocated.
 */

import { AiqError } from './error-codes.ts';

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const initialWriterBytes = 256;

/** Without this a number that does not fit would be cut to its low bytes, unnoticed. */
function assertFits(value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(`not an integer from 0 to ${max}: ${value}`);
  }
}

/**
 * Appends values to one growing buffer.
 * @throws RangeError when a number does not fit its type
 */
export class Writer {
  #buffer: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(capacity = initialWriterBytes) {
    this.#buffer = new Uint8Array(capacity);
    this.#view = new DataView(this.#buffer.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** Makes room for `count` more bytes and returns where they start. */
  reserve(count: number): number {
    const start = this.#length;
    const needed = start + count;
    if (needed > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
      grown.set(this.#buffer.subarray(0, start));
      this.#buffer = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = needed;
    return start;
  }

  u8(value: number): void {
    assertFits(value, 0xff);
    const at = this.reserve(1);
    this.#view.setUint8(at, value);
  }

  u16(value: number): void {
    assertFits(value, 0xffff);
    const at = this.reserve(2);
    this.#view.setUint16(at, value);
  }

  u32(value: number): void {
    assertFits(value, 0xffff_ffff);
    const at = this.reserve(4);
    this.#view.setUint32(at, value);
  }

  /** A non-negative safe integer in eight bytes. */
  u53(value: number): void {
    assertFits(value, Number.MAX_SAFE_INTEGER);
    const at = this.reserve(8);
    this.#view.setUint32(at, Math.floor(value / 0x1_0000_0000));
    this.#view.setUint32(at + 4, value >>> 0);
  }

  raw(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length);
    this.#buffer.set(bytes, at);
  }

  bytes(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.raw(bytes);
  }

  text(text: string): void {
    const lengthAt = this.reserve(4);
    if (text === '') {
      this.#view.setUint32(lengthAt, 0);
      return;
    }
    // UTF-8 needs at most three bytes for each UTF-16 unit; nothing grows for what it will not need.
    const most = text.length * 3;
    const hasRoom = this.#length + most <= this.#buffer.length;
    const start = this.reserve(hasRoom ? most : Buffer.byteLength(text));
    const { written } = textEncoder.encodeInto(text, this.#buffer.subarray(start));
    this.#length = start + written;
    this.#view.setUint32(lengthAt, written);
  }

  /** Takes back everything from `length` on. */
  truncate(length: number): void {
    this.#length = length;
  }

  /** Overwrites four bytes that were reserved earlier. */
  setU32(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }

  /** Lets `write` fill `count` reserved bytes in place. */
  fill(count: number, write: (into: Uint8Array, offset: number) => void): void {
    const at = this.reserve(count);
    write(this.#buffer, at);
  }

  /** What was written from `start` on, without a copy: valid until the next write. */
  written(start = 0): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(start, this.#length);
  }
}

/**
 * Reads values from bytes of known length.
 * @throws AiqError `BAD_FRAME` when the bytes end early or hold a value that the type forbids
 */
export class Reader {
  readonly #bytes: Uint8Array;
  #at: number;

  /** @param at where the first value begins */
  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#byte(this.#take(1));
  }

  u16(): number {
    const at = this.#take(2);
    return (this.#byte(at) << 8) | this.#byte(at + 1);
  }

  u32(): number {
    return this.#word(this.#take(4));
  }

  u53(): number {
    const at = this.#take(8);
    const value = this.#word(at) * 0x1_0000_0000 + this.#word(at + 4);
    if (!Number.isSafeInteger(value)) throw malformed('an integer is over 2^53 - 1');
    return value;
  }

  bool(): boolean {
    const value = this.u8();
    if (value > 1) throw malformed(`a boolean is ${value}`);
    return value === 1;
  }

  /** A view of the next `count` bytes, not a copy. */
  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  /** Lets `read` make a value of the next `count` bytes in place. */
  use<T>(count: number, read: (bytes: Uint8Array, offset: number) => T): T {
    return read(this.#bytes, this.#take(count));
  }

  bytes(): Uint8Array {
    return this.raw(this.u32());
  }

  text(): string {
    const length = this.u32();
    if (length === 0) return '';
    const bytes = this.raw(length);
    try {
      return textDecoder.decode(bytes);
    } catch {
      throw malformed('a text is not UTF-8');
    }
  }

  // A `DataView` for each reader costs more than to put the few numbers together.
  #word(at: number): number {
    const high = (this.#byte(at) << 24) | (this.#byte(at + 1) << 16);
    return (high | (this.#byte(at + 2) << 8) | this.#byte(at + 3)) >>> 0;
  }

  #byte(at: number): number {
    return this.#bytes[at] ?? 0;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw malformed('the bytes end inside a field');
    this.#at = at + count;
    return at;
  }
}

/** A frame, job or record whose bytes do not fit its type. */
export function malformed(what: string): AiqError {
  return new AiqError('BAD_FRAME', `malformed: ${what}`);
}
