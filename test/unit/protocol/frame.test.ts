/** The frame splitter: any chunking gives the same frames, and no length is believed. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AnyMessage,
  decodeFrame,
  decodePreamble,
  encodeFrame,
  encodePreamble,
  type Frame,
  FrameSplitter,
  frameHeaderBytes,
  limits,
  preambleBytes,
  protocolVersion,
  Writer,
} from '../../../core/protocol/index.ts';
import { anyMessage } from './message-arbitraries.ts';

function streamOf(messages: readonly AnyMessage[]): Uint8Array {
  const writer = new Writer();
  for (const { name, correlationId, fields } of messages) {
    encodeFrame(writer, name, correlationId, fields);
  }
  return writer.written();
}

function takeAll(splitter: FrameSplitter): Frame[] {
  const frames: Frame[] = [];
  for (let frame = splitter.next(); frame !== null; frame = splitter.next()) frames.push(frame);
  return frames;
}

function headerOf(bodyBytes: number, flags = 0, reserved = 0): Uint8Array {
  const bytes = new Uint8Array(frameHeaderBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bodyBytes);
  view.setUint8(4, 6);
  view.setUint8(5, flags);
  view.setUint16(6, reserved);
  return bytes;
}

describe('the splitter', () => {
  it('gives the same frames wherever the stream is cut in two', () => {
    const messages: AnyMessage[] = [
      { name: 'Ping', correlationId: 1, fields: {} },
      { name: 'Pause', correlationId: 2, fields: { queue: 'sümmarize' } },
      { name: 'Enqueue', correlationId: 3, fields: { atomic: true, jobs: [new Uint8Array(70)] } },
      { name: 'Ping', correlationId: 4, fields: {} },
    ];
    const stream = streamOf(messages);
    for (let cut = 0; cut <= stream.length; cut++) {
      const splitter = new FrameSplitter(1000);
      splitter.push(stream.subarray(0, cut));
      const frames = takeAll(splitter);
      splitter.push(stream.subarray(cut));
      frames.push(...takeAll(splitter));
      expect(frames.map(decodeFrame)).toEqual(messages);
      expect(splitter.bufferedBytes).toBe(0);
    }
  });

  it('gives the same frames under any chunking, read at any time', () => {
    const chunks = fc.array(fc.record({ bytes: fc.nat({ max: 60 }), read: fc.boolean() }), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 6 }), chunks, (messages, plan) => {
        const stream = streamOf(messages);
        const splitter = new FrameSplitter(1 << 20);
        const frames: Frame[] = [];
        let at = 0;
        for (const { bytes, read } of plan) {
          splitter.push(stream.subarray(at, at + bytes));
          at = Math.min(stream.length, at + bytes);
          if (read) frames.push(...takeAll(splitter));
        }
        splitter.push(stream.subarray(at));
        frames.push(...takeAll(splitter));
        expect(frames.map(decodeFrame)).toEqual(messages);
        expect(splitter.bufferedBytes).toBe(0);
      }),
    );
  });

  it('refuses a body over its limit by the header alone, and takes one at the limit', () => {
    const splitter = new FrameSplitter(100);
    splitter.push(headerOf(100));
    expect(splitter.next()).toBeNull();
    splitter.push(new Uint8Array(100));
    expect(splitter.next()?.body.length).toBe(100);
    splitter.push(headerOf(101));
    expect(() => splitter.next()).toThrow(expect.objectContaining({ code: 'FRAME_TOO_LARGE' }));
  });

  it('applies a raised limit to the frames that follow', () => {
    const splitter = new FrameSplitter(10);
    splitter.setFrameBytesMax(50);
    splitter.push(headerOf(50));
    expect(splitter.next()).toBeNull();
  });

  it.each([
    ['flags', headerOf(0, 1)],
    ['reserved bytes', headerOf(0, 0, 1)],
  ])('refuses %s that are not zero', (_, header) => {
    const splitter = new FrameSplitter(100);
    splitter.push(header);
    expect(() => splitter.next()).toThrow(expect.objectContaining({ code: 'BAD_FRAME' }));
  });

  it('allocates nothing for a length that is only announced', () => {
    const before = process.memoryUsage().arrayBuffers;
    const splitters = Array.from({ length: 1000 }, () => {
      const splitter = new FrameSplitter(limits.frameBytesMax);
      splitter.push(headerOf(limits.frameBytesMax));
      splitter.push(new Uint8Array(1));
      expect(splitter.next()).toBeNull();
      return splitter;
    });
    const grown = process.memoryUsage().arrayBuffers - before;
    expect(grown).toBeLessThan(limits.frameBytesMax);
    expect(splitters[0]?.bufferedBytes).toBe(frameHeaderBytes + 1);
  });

  it('gives a frame that came in pieces a buffer of its own, and one that came whole none', () => {
    const frames = [100_000, 20, 70_000].map((bytes) =>
      Buffer.concat([headerOf(bytes), new Uint8Array(bytes)]),
    );
    const bytes = Buffer.concat(frames);
    const splitter = new FrameSplitter(1024 * 1024);
    for (let at = 0; at < bytes.length; at += 65_536) {
      splitter.push(Uint8Array.from(bytes.subarray(at, at + 65_536)));
    }
    const sizes = frames.map(() => splitter.next()?.body.buffer.byteLength);
    expect(sizes[0]).toBe(frames[0]?.length);
    expect(sizes[1]).toBe(65_536);
    expect(sizes[2]).toBe(frames[2]?.length);
    expect(splitter.next()).toBeNull();
  });

  it('holds a frame that trickles in byte by byte in few pieces', () => {
    const bodyBytes = 200_000;
    const splitter = new FrameSplitter(limits.frameBytesMax);
    splitter.push(headerOf(bodyBytes));
    let piecesMax = 0;
    for (let at = 0; at < bodyBytes; at++) {
      if (splitter.next() !== null) throw new Error('a frame before its end');
      splitter.push(Uint8Array.of(at & 255));
      piecesMax = Math.max(piecesMax, splitter.chunkCount);
    }
    expect(piecesMax).toBeLessThan(bodyBytes / 4096 + 16);
    const body = splitter.next()?.body;
    expect(body?.length).toBe(bodyBytes);
    expect(body?.every((byte, at) => byte === (at & 255))).toBe(true);
  });

  it('takes raw bytes only when all are here', () => {
    const splitter = new FrameSplitter(100);
    splitter.push(Uint8Array.of(1, 2));
    expect(splitter.takeRaw(3)).toBeNull();
    splitter.push(Uint8Array.of(3, 4));
    expect(splitter.takeRaw(3)).toEqual(Uint8Array.of(1, 2, 3));
    expect(splitter.bufferedBytes).toBe(1);
  });
});

describe('encoding a frame', () => {
  it('leaves nothing behind when a field does not fit its type', () => {
    const writer = new Writer();
    encodeFrame(writer, 'Ping', 1, {});
    expect(() => encodeFrame(writer, 'Error', 2, { code: 65_536, message: 'x' })).toThrow(
      RangeError,
    );
    encodeFrame(writer, 'Ping', 3, {});
    const splitter = new FrameSplitter(100);
    splitter.push(writer.written());
    expect(takeAll(splitter).map(({ correlationId }) => correlationId)).toEqual([1, 3]);
  });

  it('refuses a body that no peer would take', () => {
    const writer = new Writer();
    const jobs = [new Uint8Array(limits.frameBytesMax)];
    expect(() => encodeFrame(writer, 'Enqueue', 1, { atomic: false, jobs })).toThrow(
      expect.objectContaining({ code: 'FRAME_TOO_LARGE' }),
    );
    expect(writer.length).toBe(0);
  });
});

describe('the preamble', () => {
  it('is pinned: AIQP, the version, two zero bytes', () => {
    expect([...encodePreamble()]).toEqual([0x41, 0x49, 0x51, 0x50, 0, 1, 0, 0]);
    expect(encodePreamble().length).toBe(preambleBytes);
  });

  it('carries the version, and refuses any other beginning', () => {
    expect(decodePreamble(encodePreamble())).toBe(protocolVersion);
    expect(decodePreamble(encodePreamble(513))).toBe(513);
    for (let at = 0; at < 4; at++) {
      const damaged = encodePreamble();
      damaged[at] = 0;
      expect(() => decodePreamble(damaged)).toThrow(expect.objectContaining({ code: 'BAD_MAGIC' }));
    }
  });
});
