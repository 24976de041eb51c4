/**
 * Frames: a 12-byte header (body length u32, opcode u8, flags u8 = 0, reserved u16 = 0,
 * correlation id u32), then the body. And the 8-byte preamble that each side sends first.
 */

import { decodeFields, encodeFields, messageNameOf } from './codec.ts';
import { AiqError } from './error-codes.ts';
import {
  frameHeaderBytes,
  limits,
  preambleBytes,
  preambleMagic,
  protocolVersion,
} from './limits.ts';
import type { AnyMessage, Message, MessageName } from './message-types.ts';
import { messages } from './messages.ts';
import { malformed, Writer } from './wire.ts';

/** One whole frame, not yet decoded. `body` is a view. */
export interface Frame {
  readonly opcode: number;
  readonly correlationId: number;
  readonly body: Uint8Array;
}

/** The 8 bytes that open a connection: magic, version, reserved. */
export function encodePreamble(version: number = protocolVersion): Uint8Array<ArrayBuffer> {
  const writer = new Writer(preambleBytes);
  for (const letter of preambleMagic) writer.u8(letter.charCodeAt(0));
  writer.u16(version);
  writer.u16(0);
  return writer.written();
}

/**
 * Checks a received preamble and returns the peer's version.
 * @throws AiqError `BAD_MAGIC` when the bytes are no preamble
 */
export function decodePreamble(bytes: Uint8Array): number {
  for (let index = 0; index < preambleMagic.length; index++) {
    if (bytes[index] !== preambleMagic.charCodeAt(index)) {
      throw new AiqError('BAD_MAGIC', 'the first bytes are not an aiq preamble');
    }
  }
  return ((bytes[4] ?? 0) << 8) | (bytes[5] ?? 0);
}

/**
 * Appends one frame to `writer`, so that several frames can leave in one write. A frame that cannot
 * be encoded leaves nothing behind.
 * @throws AiqError `FRAME_TOO_LARGE` when no peer would take it
 * @throws RangeError when a field does not fit its type
 */
export function encodeFrame<N extends MessageName>(
  writer: Writer,
  name: N,
  correlationId: number,
  fields: Message<N>,
): void {
  const lengthAt = writer.length;
  try {
    appendFrame(writer, name, correlationId, fields);
  } catch (error) {
    writer.truncate(lengthAt);
    throw error;
  }
}

function appendFrame<N extends MessageName>(
  writer: Writer,
  name: N,
  correlationId: number,
  fields: Message<N>,
): void {
  const lengthAt = writer.reserve(4);
  writer.u8(messages[name].opcode);
  writer.u8(0);
  writer.u16(0);
  writer.u32(correlationId);
  const bodyAt = writer.length;
  encodeFields(writer, name, fields);
  const bodyBytes = writer.length - bodyAt;
  if (bodyBytes > limits.frameBytesMax) throw tooLarge(bodyBytes, limits.frameBytesMax);
  writer.setU32(lengthAt, bodyBytes);
}

/**
 * Decodes the body of a frame. `bytes` fields stay views into the frame.
 * @throws AiqError `UNKNOWN_OPCODE` or `BAD_FRAME`
 */
export function decodeFrame(frame: Frame): AnyMessage {
  const name = messageNameOf(frame.opcode);
  if (name === undefined) {
    throw new AiqError('UNKNOWN_OPCODE', `no message has opcode ${frame.opcode}`);
  }
  const fields = decodeFields(name, frame.body);
  return { name, correlationId: frame.correlationId, fields } as AnyMessage;
}

/** Pieces of at least this size are kept as they came. */
const smallChunkBytes = 4096;

/**
 * Cuts a byte stream into whole frames. A frame is consumed before it is decoded, and
 * nothing is allocated by an advertised length: chunks are kept as they came until enough bytes
 * are there.
 */
export class FrameSplitter {
  #frameBytesMax: number;
  #chunks: Uint8Array[] = [];
  #buffered = 0;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Raises or lowers the limit for the frames that follow. */
  setFrameBytesMax(frameBytesMax: number): void {
    this.#frameBytesMax = frameBytesMax;
  }

  /** How many pieces are held. */
  get chunkCount(): number {
    return this.#chunks.length;
  }

  /** Bytes of a frame that has begun but is not whole; 0 between frames. */
  get bufferedBytes(): number {
    return this.#buffered;
  }

  /**
   * Adds received bytes. A peer that sends byte by byte would make a piece of each one, many times
   * its size: small pieces are joined with those before them that are no larger, so that few stay
   * and each byte is copied only a few times.
   */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#buffered += chunk.length;
    let joined = chunk;
    for (let last = this.#chunks.at(-1); last !== undefined; last = this.#chunks.at(-1)) {
      if (last.length >= smallChunkBytes || last.length > joined.length) break;
      this.#chunks.pop();
      joined = joinChunks([last, joined], last.length + joined.length);
    }
    this.#chunks.push(joined);
  }

  /** The next `count` raw bytes, or null when they are not all here (used for the preamble). */
  takeRaw(count: number): Uint8Array | null {
    return this.#buffered < count ? null : this.#consume(count);
  }

  /**
   * The next whole frame, or null when more bytes are needed.
   * @throws AiqError `FRAME_TOO_LARGE` or `BAD_FRAME`; the stream cannot be read on after either
   */
  next(): Frame | null {
    if (this.#buffered < frameHeaderBytes) return null;
    const header = this.#peekHeader();
    const view = new DataView(header.buffer, header.byteOffset, frameHeaderBytes);
    const bodyBytes = view.getUint32(0);
    if (bodyBytes > this.#frameBytesMax) throw tooLarge(bodyBytes, this.#frameBytesMax);
    if (view.getUint8(5) !== 0 || view.getUint16(6) !== 0) {
      throw malformed('flags and reserved bytes of a frame header must be zero');
    }
    if (this.#buffered < frameHeaderBytes + bodyBytes) return null;
    const opcode = view.getUint8(4);
    const correlationId = view.getUint32(8);
    const whole = this.#consume(frameHeaderBytes + bodyBytes);
    return { opcode, correlationId, body: whole.subarray(frameHeaderBytes) };
  }

  #peekHeader(): Uint8Array {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= frameHeaderBytes) return first;
    return joinChunks(this.#chunks, frameHeaderBytes);
  }

  /** Removes and returns the first `count` bytes: a view when they lie in one chunk, else a buffer of their own. */
  #consume(count: number): Uint8Array {
    this.#buffered -= count;
    const [first] = this.#chunks;
    const isOne = first !== undefined && first.length >= count;
    const taken = isOne ? first.subarray(0, count) : joinChunks(this.#chunks, count);
    let left = count;
    let whole = 0;
    for (const { length } of this.#chunks) {
      if (length > left) break;
      left -= length;
      whole += 1;
    }
    this.#chunks.splice(0, whole);
    const rest = this.#chunks[0];
    if (left > 0 && rest !== undefined) this.#chunks[0] = rest.subarray(left);
    return taken;
  }
}

function tooLarge(bodyBytes: number, allowedBytes: number): AiqError {
  const message = `a frame has a body of ${bodyBytes} bytes; ${allowedBytes} are allowed`;
  return new AiqError('FRAME_TOO_LARGE', message);
}

/** A copy of the first `count` bytes of the chunks, which hold at least as many. */
function joinChunks(chunks: readonly Uint8Array[], count: number): Uint8Array {
  const joined = new Uint8Array(count);
  let at = 0;
  for (const chunk of chunks) {
    const part = chunk.subarray(0, count - at);
    joined.set(part, at);
    at += part.length;
    if (at === count) break;
  }
  return joined;
}
