/** Events between the threads: what comes out is what went in, through a real port. */

import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { checkJob } from '../../../../core/broker/check-job.ts';
import type { NetEvent } from '../../../../core/broker/events.ts';
import {
  type PackedEvent,
  packEvents,
  unpackEvents,
} from '../../../../core/broker/net/pool/packed-events.ts';
import { toTransferable } from '../../../../core/broker/net/pool/transferable.ts';
import { receiveRequest } from '../../../../core/broker/net/requests.ts';
import { encodeFrame, FrameSplitter, limits, Writer } from '../../../../core/protocol/index.ts';
import { bytesOf, checkedJob, idOf } from '../state-machine/driver.ts';

function crossed(events: readonly NetEvent[]): NetEvent[] {
  const { port1, port2 } = new MessageChannel();
  const { value, transfer } = toTransferable(packEvents(events));
  port1.postMessage(value, [...transfer]);
  const received = receiveMessageOnPort(port2)?.message as PackedEvent[];
  port1.close();
  return unpackEvents(received);
}

const enqueueOf = (jobs: readonly Uint8Array[]): NetEvent => ({
  type: 'enqueue',
  connection: 7,
  correlationId: 3,
  atomic: true,
  jobs: jobs.map((bytes) => checkJob(bytes, crc32)),
});

test('jobs, good and refused ones, are what they were, in their order', () => {
  const good = [1, 2, 3].map((id) => bytesOf(checkedJob({ id })));
  const damaged = good[1]!.slice();
  damaged[40]! ^= 1;
  const event = enqueueOf([good[0]!, damaged, good[2]!, new Uint8Array(2)]);
  expect(crossed([event])).toEqual([event]);
  expect(crossed([enqueueOf([]), enqueueOf([damaged])])).toEqual([
    enqueueOf([]),
    enqueueOf([damaged]),
  ]);
});

test('jobs of a large frame come in its own buffer', () => {
  const jobs = [1, 2].map((id) => bytesOf(checkedJob({ id, body: 'x'.repeat(90_000) })));
  const frame = Buffer.allocUnsafeSlow(jobs[0]!.length + jobs[1]!.length + 8);
  frame.set(jobs[0]!, 3);
  frame.set(jobs[1]!, 3 + jobs[0]!.length);
  const views = [
    frame.subarray(3, 3 + jobs[0]!.length),
    frame.subarray(3 + jobs[0]!.length, frame.length - 5),
  ];
  const [event] = crossed([enqueueOf(views)]);
  expect(event).toEqual(enqueueOf(jobs));
  expect(frame.buffer.byteLength).toBe(0);
});

test('requests are read again from their bytes', () => {
  const writer = new Writer();
  encodeFrame(writer, 'Wait', 9, { id: idOf(4) });
  encodeFrame(writer, 'Subscribe', 10, { queues: ['a', 'b'], credit: 5 });
  const splitter = new FrameSplitter(limits.frameBytesMax);
  splitter.push(writer.written());
  const events: NetEvent[] = [];
  for (let frame = splitter.next(); frame !== null; frame = splitter.next()) {
    const received = receiveRequest(7, frame);
    if (received.type === 'event') events.push(received.event);
  }
  const closed: NetEvent = { type: 'closed', connection: 7 };
  const got = crossed([...events, closed]);
  expect(got).toHaveLength(3);
  expect(got).toMatchObject([
    { type: 'request', connection: 7, request: { name: 'Wait', correlationId: 9 } },
    { request: { name: 'Subscribe', fields: { queues: ['a', 'b'], credit: 5 } } },
    closed,
  ]);
});
