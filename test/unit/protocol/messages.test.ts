/** Every message of the table: one arbitrary value, four checks (encode, decode, mirror, stream). */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AiqError,
  type AnyMessage,
  decodeFields,
  decodeFrame,
  encodeAhead,
  encodeFields,
  encodeFrame,
  errorCodeOf,
  errorCodes,
  FrameSplitter,
  frameHeaderBytes,
  type Message,
  messageNameOf,
  messages,
  noError,
  pieceAt,
  type QueueInfo,
  Writer,
} from '../../../core/protocol/index.ts';
import { messageNames, messageOf } from './message-arbitraries.ts';

function encoded(message: AnyMessage): Uint8Array {
  const writer = new Writer();
  encodeFrame(writer, message.name, message.correlationId, message.fields);
  return writer.written();
}

function bodyOf(message: AnyMessage): Uint8Array {
  const writer = new Writer();
  encodeFields(writer, message.name, message.fields);
  return writer.written();
}

function codeOf(action: () => unknown): string {
  try {
    action();
    return 'no error';
  } catch (error) {
    if (error instanceof AiqError) return error.code;
    throw error;
  }
}

describe.each(messageNames)('%s', (name) => {
  it('comes back as it was sent, whole and byte by byte, and encodes to the same bytes again', () => {
    fc.assert(
      fc.property(messageOf(name), (message) => {
        const frame = encoded(message);
        const whole = new FrameSplitter(1 << 20);
        whole.push(frame);
        const received = whole.next();
        if (received === null) throw new Error('no frame');
        expect(received.opcode).toBe(messages[name].opcode);
        const decoded = decodeFrame(received);
        expect(decoded).toEqual(message);
        expect(encoded(decoded)).toEqual(frame);

        const stream = new FrameSplitter(1 << 20);
        for (const byte of frame.subarray(0, -1)) {
          stream.push(Uint8Array.of(byte));
          expect(stream.next()).toBeNull();
        }
        stream.push(frame.subarray(-1));
        expect(stream.next()).toEqual(received);
      }),
      { numRuns: 30 },
    );
  });

  it('is refused when any byte is missing or one is left over', () => {
    fc.assert(
      fc.property(messageOf(name), (message) => {
        const body = bodyOf(message);
        for (let length = 0; length < body.length; length++) {
          expect(codeOf(() => decodeFields(name, body.subarray(0, length)))).toBe('BAD_FRAME');
        }
        const longer = Uint8Array.of(...body, 0);
        expect(codeOf(() => decodeFields(name, longer))).toBe('BAD_FRAME');
      }),
      { numRuns: 10 },
    );
  });
});

describe('the tables', () => {
  it('give each message its own opcode, found again by number', () => {
    const opcodes = messageNames.map((name) => messages[name].opcode);
    expect(new Set(opcodes).size).toBe(opcodes.length);
    expect(opcodes.map((opcode) => messageNameOf(opcode))).toEqual(messageNames);
    expect(messageNameOf(255)).toBeUndefined();
  });

  it('answer every request of a client, and nothing that a broker says', () => {
    for (const name of messageNames) {
      const { from, answer } = messages[name];
      expect(answer === null).toBe(from === 'broker');
      if (answer !== null) expect(messages[answer].from).toBe('broker');
    }
  });

  it('give each error its own number, never that of "no error"', () => {
    const codes = Object.keys(errorCodes) as (keyof typeof errorCodes)[];
    const numbers = codes.map((code) => errorCodes[code].number);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers).not.toContain(noError);
    expect(codes.map((code) => errorCodeOf(errorCodes[code].number))).toEqual(codes);
    expect(errorCodeOf(60_000)).toBe('INTERNAL');
  });
});

describe('the bytes of v1', () => {
  it('are pinned for a small frame', () => {
    const frame = encoded({ name: 'Error', correlationId: 7, fields: { code: 4, message: 'no' } });
    expect([...frame]).toEqual(
      [
        [0, 0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 7],
        [0, 4],
        [0, 0, 0, 2],
        [0x6e, 0x6f],
      ].flat(),
    );
    expect(frame.length).toBe(frameHeaderBytes + 8);
  });

  it('are pinned for ids, optionals, enums and wide integers', () => {
    const fields = { queue: 'q', state: 'dead', before: 2 ** 40 + 5, limit: 9 } as const;
    const [list, wait] = [
      bodyOf({ name: 'List', correlationId: 0, fields }),
      bodyOf({ name: 'Wait', correlationId: 0, fields: { id: 'zzzzzzzzzzzzzzzzzzzzzzzzzw' } }),
    ];
    expect([...list]).toEqual([1, 0, 0, 0, 1, 0x71, 1, 5, 0, 0, 1, 0, 0, 0, 0, 5, 0, 0, 0, 9]);
    expect([...wait]).toEqual(Array.from({ length: 16 }, () => 255));
  });

  it.each([
    ['a boolean of 2', 'Inspect', [0, 0, 0, 0, 2]],
    ['an enum that no name has', 'List', [0, 1, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['an integer over 2^53 - 1', 'List', [0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['a text that is not UTF-8', 'Pause', [0, 0, 0, 1, 0xff]],
    ['a list longer than its bytes', 'Cancel', [255, 255, 255, 255, 0]],
    ['a text longer than its bytes', 'Pause', [255, 255, 255, 255, 0x61]],
  ] as const)('forbid %s', (_, name, body) => {
    expect(codeOf(() => decodeFields(name, Uint8Array.from(body)))).toBe('BAD_FRAME');
  });
});

describe('infos that are encoded ahead of their message', () => {
  const info = (name: string, jobs = 1) =>
    ({
      queue: name,
      paused: false,
      delayed: 0,
      ready: jobs,
      leased: 0,
      done: 3,
      dead: 0,
      cancelled: 0,
      parked: 0,
      oldestReadyMs: 4,
      bytes: 5,
      jobsMax: 0,
      bytesMax: 0,
      keepMs: 0,
      keepJobs: 0,
      consumers: 1,
    }) as const;
  const infos = Array.from({ length: 10 }, (_, at) => info(`queue-${at}`));
  const stats = (queues: readonly QueueInfo[]): Message<'StatsOk'> => ({
    pid: 1,
    startedAtMs: 1,
    connections: 1,
    sessions: 1,
    logBytes: 1,
    logLiveBytes: 1,
    logSegments: 1,
    durableOffset: 1,
    diskFreeBytes: 1,
    diskFull: false,
    historyOffset: 1,
    queues: [...queues],
  });
  const bytesOf = (queues: readonly QueueInfo[]): string => {
    const writer = new Writer();
    encodeFields(writer, 'StatsOk', stats(queues));
    return Buffer.from(writer.written()).toString('hex');
  };

  it('take the same bytes, in whole, in part and beside others', () => {
    const copies = (): QueueInfo[] => infos.map((one) => ({ ...one }));
    const ahead = copies();
    encodeAhead('queue', ahead.slice(0, 4));
    encodeAhead('queue', ahead.slice(4, 8));
    expect(pieceAt(ahead, 4)?.count).toBe(4);
    for (const [from, to] of [
      [0, 10],
      [0, 3],
      [2, 10],
      [4, 7],
      [5, 6],
      [8, 10],
      [9, 9],
    ] as const) {
      expect(bytesOf(ahead.slice(from, to))).toBe(bytesOf(copies().slice(from, to)));
    }
    expect(bytesOf(ahead.toReversed())).toBe(bytesOf(copies().toReversed()));
  });

  it('that cannot be encoded are found out with their message', () => {
    const bad = [info('good'), info('bad', -1)];
    encodeAhead('queue', bad);
    expect(pieceAt(bad, 0)).toBeUndefined();
    expect(() => bytesOf(bad)).toThrow(RangeError);
  });
});
