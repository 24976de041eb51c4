/** Thousands of damaged frames and jobs: nothing but an AiqError comes out, and what decodes is sound. */

import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  AiqError,
  decodeFrame,
  decodeJob,
  encodeFrame,
  encodeJob,
  FrameSplitter,
  jobChecksumFits,
  limits,
  Writer,
} from '../../../core/protocol/index.ts';
import { anyMessage } from './message-arbitraries.ts';

/** Places and values, applied to whatever length the bytes have. */
const damage = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    kind: fc.constantFrom('set', 'cut', 'repeat'),
    value: fc.constantFrom(0, 1, 2, 3, 0x7f, 0x80, 0xfe, 0xff),
  }),
  { minLength: 1, maxLength: 6 },
);

type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

function damaged(bytes: Uint8Array, steps: Damage): Uint8Array {
  let result = bytes.slice();
  for (const { at, kind, value } of steps) {
    const index = Math.floor(at * result.length);
    if (kind === 'set') result[index] = value;
    else if (kind === 'cut') result = result.slice(0, index);
    else result = Uint8Array.of(...result.slice(0, index), ...result.slice(index >> 1));
  }
  return result;
}

/** Runs the reader; an AiqError is an answer, anything else fails the test. */
function readOrRefuse(read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof AiqError)) throw error;
  }
}

it('a damaged frame is refused with a code or decodes to a message that encodes again', () => {
  const writer = new Writer();
  fc.assert(
    fc.property(anyMessage, damage, ({ name, correlationId, fields }, steps) => {
      writer.truncate(0);
      encodeFrame(writer, name, correlationId, fields);
      const splitter = new FrameSplitter(limits.frameBytesMax);
      splitter.push(damaged(writer.written(), steps));
      readOrRefuse(() => {
        for (let frame = splitter.next(); frame !== null; frame = splitter.next()) {
          const message = decodeFrame(frame);
          encodeFrame(new Writer(), message.name, message.correlationId, message.fields);
        }
      });
    }),
    { numRuns: 5000 },
  );
});

it('random bytes in any chunks never do anything but end in a code', () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 });
  fc.assert(
    fc.property(chunks, (pieces) => {
      const splitter = new FrameSplitter(limits.frameBytesMaxBeforeHello);
      readOrRefuse(() => {
        for (const piece of pieces) {
          splitter.push(piece);
          for (let frame = splitter.next(); frame !== null; frame = splitter.next()) {
            readOrRefuse(() => decodeFrame(frame));
          }
        }
      });
    }),
    { numRuns: 2000 },
  );
});

it('a damaged job is refused with a code of jobs, even when its checksum was made to fit', () => {
  const encoded = encodeJob(
    {
      id: '0123456789abcdefghjkmnpqr0',
      queue: 'summarize',
      digest: new Uint8Array(16),
      body: new TextEncoder().encode('{}'),
      agent: 'summarize',
      agentDigest: new Uint8Array(32),
      source: 'a.txt',
      createdAtMs: 1,
      attemptsMax: 4,
      delayMs: 9,
    },
    crc32,
  );
  fc.assert(
    fc.property(damage, (steps) => {
      const bytes = damaged(encoded, steps);
      expect(typeof jobChecksumFits(bytes, crc32)).toBe('boolean');
      try {
        decodeJob(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(AiqError);
        expect(['BAD_JOB', 'UNSUPPORTED']).toContain((error as AiqError).code);
      }
    }),
    { numRuns: 5000 },
  );
});
