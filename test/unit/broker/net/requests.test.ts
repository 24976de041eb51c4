/** From frames to events: limits on every list, each job checked for itself, nothing escapes but codes. */

import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { receiveRequest } from '../../../../core/broker/net/requests.ts';
import {
  AiqError,
  encodeFields,
  encodeJob,
  type Frame,
  idToText,
  type Job,
  limits,
  type Message,
  type MessageName,
  messages,
  plainJob,
  Writer,
} from '../../../../core/protocol/index.ts';
import { acked } from '../../../support/acked.ts';
import { messageOf } from '../../protocol/message-arbitraries.ts';

const id = '0123456789abcdefghjkmnpqr0';
const job: Job = {
  id,
  queue: 'summarize',
  digest: new Uint8Array(16),
  body: new TextEncoder().encode('{}'),
  agent: 'summarize',
  agentDigest: new Uint8Array(32),
  source: '',
  createdAtMs: 1,
  ...plainJob,
};

function frameOf<N extends MessageName>(name: N, fields: Message<N>): Frame {
  const writer = new Writer();
  encodeFields(writer, name, fields);
  return { opcode: messages[name].opcode, correlationId: 3, body: writer.written() };
}

function enqueued(...jobs: Uint8Array[]) {
  const received = receiveRequest(8, frameOf('Enqueue', { atomic: false, jobs }));
  if (received.type !== 'event' || received.event.type !== 'enqueue') throw new Error('no enqueue');
  return received.event.jobs;
}

const requestNames = (Object.keys(messages) as MessageName[]).filter(
  (name) => messages[name].from === 'client' && !['Prove', 'Hello', 'Enqueue'].includes(name),
);

describe('a request', () => {
  it.each(requestNames)('%s reaches the core as it was sent', (name) => {
    fc.assert(
      fc.property(messageOf(name), (message) => {
        const frame = frameOf(name, message.fields as never);
        const received = receiveRequest(8, frame);
        const request = { ...message, correlationId: 3 };
        const event = { type: 'request', connection: 8, request, body: frame.body };
        expect(received).toEqual({ type: 'event', event });
      }),
      { numRuns: 10 },
    );
  });

  const settlement = { ...acked, token: { id, epoch: 1, delivery: 1 } };

  const many = limits.batchItemsMax + 1;

  it.each([
    ['Cancel', frameOf('Cancel', { ids: Array.from({ length: many }, () => id) })],
    ['Stats', frameOf('Stats', { queues: Array.from({ length: many }, () => 'q') })],
    [
      'Enqueue',
      frameOf('Enqueue', { atomic: true, jobs: Array.from({ length: many }, () => job.body) }),
    ],
    [
      'Settle',
      frameOf('Settle', {
        items: [{ ...settlement, enqueue: Array.from({ length: many }, () => job.body) }],
      }),
    ],
  ])('%s with a list over the limit is refused for itself', (name, frame) => {
    const received = receiveRequest(8, frame);
    if (received.type !== 'refused') throw new Error('not refused');
    expect(received.error.code).toBe('TOO_MANY_ITEMS');
    expect(received.error.message).toContain(`${name} has a list of ${many} items`);
  });

  it('may have a list of exactly the limit', () => {
    const ids = Array.from({ length: limits.batchItemsMax }, () => id);
    expect(receiveRequest(8, frameOf('Cancel', { ids })).type).toBe('event');
  });

  it('of any opcode and any bytes is an event, a refusal or an AiqError', () => {
    const frames = fc.record({
      opcode: fc.nat({ max: 60 }),
      correlationId: fc.nat(),
      body: fc.uint8Array({ maxLength: 80 }),
    });
    fc.assert(
      fc.property(frames, (frame) => {
        try {
          receiveRequest(8, frame);
        } catch (error) {
          expect(error).toBeInstanceOf(AiqError);
        }
      }),
      { numRuns: 5000 },
    );
  });
});

describe('the jobs of an Enqueue', () => {
  it('are checked one by one: a bad one does not hide the good ones', () => {
    const good = encodeJob(job, crc32);
    const bad = encodeJob({ ...job, attemptsMax: 5000 }, crc32);
    expect(enqueued(good, bad, good).map(({ ok }) => ok)).toEqual([true, false, true]);
    expect(enqueued(bad)).toMatchObject([{ ok: false, id, code: 'BAD_JOB' }]);
  });

  it('are refused by size before anything of them is read', () => {
    const large = new Uint8Array(limits.jobBytesMax + 1);
    expect(enqueued(large)).toMatchObject([{ ok: false, id: null, code: 'JOB_TOO_LARGE' }]);
  });

  it('are named in the refusal by the id that they carry, and by none when it is no id', () => {
    const named = encodeJob({ ...job, queue: 'NO' }, crc32);
    const shortId = named.slice();
    // The length of the first field, which is the id, and with it where the next field begins.
    shortId[9] = 15;
    new DataView(shortId.buffer).setUint32(0, crc32(shortId.subarray(4)));
    expect(enqueued(named, shortId)).toMatchObject([{ id }, { id: null }]);
    expect(idToText(named.subarray(10, 26))).toBe(id);
  });

  it('with a checksum that does not fit are refused as damaged, whatever they hold', () => {
    const damaged = encodeJob(job, crc32).slice();
    damaged[0] = (damaged[0] ?? 0) ^ 1;
    const refused = { ok: false, id: null, code: 'CHECKSUM' };
    expect(enqueued(damaged, new Uint8Array(0))).toMatchObject([refused, refused]);
  });
});
