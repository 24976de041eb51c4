/** One connection: how what waits for its peer leaves, and when it is read. */

import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Left } from '../../../../core/broker/events.ts';
import { netLimitDefaults } from '../../../../core/broker/net/net-limits.ts';
import { ReadScheduler } from '../../../../core/broker/net/read-scheduler.ts';
import {
  frameOf,
  hello,
  onHandshakeFrame,
  openPair,
  type Pair,
  typesOf,
} from './connection-pair.ts';

function leftOf({ host }: Pair): Left[] {
  return host.events.flatMap((event) => (event.type === 'left' ? [event] : []));
}

/** Lets the peer take one slice at a time, with so much time before each. */
async function takeSlowly({ far, host, connection }: Pair, slices: number, ms: number) {
  for (let taken = 0; taken < slices; taken++) {
    host.nowMs += ms;
    connection.tick(host.nowMs);
    far.read();
    await setImmediate();
  }
}

describe('what a peer takes', () => {
  const large = frameOf('BlobData', 2, {
    totalBytes: 1_000_000,
    offset: 0,
    chunk: new Uint8Array(1_000_000),
  });

  it('counts in slices: whoever reads steadily is served, whatever the size', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    pair.far.pause();
    pair.far.removeAllListeners('data');
    pair.connection.write(large, { bytes: 7, deliveries: 1 });
    await takeSlowly(pair, 40, netLimitDefaults.unixStallMs / 2);
    expect(pair.connection.state).toBe('open');
    expect(pair.connection.unsentBytes).toBe(0);
    pair.connection.tick(pair.host.nowMs);
    const [left, ...others] = leftOf(pair);
    expect(left).toMatchObject({ type: 'left', connection: 5, bytes: 7, deliveries: 1 });
    expect(left?.slowestMs).toBeGreaterThan(1000);
    expect(others).toEqual([]);
  });

  it('ends a peer that takes nothing any more', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    pair.far.pause();
    pair.far.removeAllListeners('data');
    pair.connection.write(large, { bytes: 7, deliveries: 1 });
    await takeSlowly(pair, 5, 1000);
    pair.host.nowMs += netLimitDefaults.unixStallMs + 1;
    pair.connection.tick(pair.host.nowMs);
    await setImmediate();
    expect(pair.connection.state).toBe('closed');
    expect(leftOf(pair)).toEqual([]);
  });

  it('is told when much was taken, and of the rest now and then, in one', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    for (const id of [1, 2, 3]) {
      pair.connection.write(frameOf('Ok', id, {}), { bytes: 100, deliveries: 0 });
    }
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    expect(leftOf(pair)).toEqual([]);
    pair.connection.write(frameOf('Ok', 4, {}), { bytes: 40_000, deliveries: 1 });
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    pair.connection.write(frameOf('Ok', 5, {}), { bytes: 50, deliveries: 0 });
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    expect(leftOf(pair)).toMatchObject([{ bytes: 40_300, deliveries: 1 }]);
    pair.connection.tick(0);
    expect(leftOf(pair)).toMatchObject([{ bytes: 40_300 }, { bytes: 50, deliveries: 0 }]);
    expect(pair.received().map(({ correlationId }) => correlationId)).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('reading', () => {
  it('stops at the share of the intake, goes on after, and the pause counts against nobody', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    pair.connection.sending('HelloOk', 1);
    const ping = frameOf('Ping', 2, {});
    await pair.send(ping.subarray(0, 4));
    pair.host.receiveBudget.shareBytes = 3;
    pair.connection.updateReading();
    await pair.send(ping.subarray(4));
    pair.host.nowMs = 60_000;
    pair.connection.tick(pair.host.nowMs);
    expect(typesOf(pair)).toEqual(['opened']);
    expect([...pair.host.starved]).toEqual([pair.connection]);
    pair.host.receiveBudget.shareBytes = 1000;
    pair.connection.updateReading();
    pair.connection.tick(pair.host.nowMs);
    await setImmediate();
    expect(typesOf(pair)).toEqual(['opened', 'request']);
    expect(pair.errors()).toEqual([]);
    expect(pair.host.starved.size).toBe(0);
  });

  it('goes on in a frame beyond the share when nothing else is held and there is room for one', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    pair.connection.sending('HelloOk', 1);
    pair.host.receiveBudget.shareBytes = 3;
    pair.host.hasRoomForFrame = true;
    const ping = frameOf('Ping', 2, {});
    await pair.send(ping.subarray(0, 8));
    await pair.send(ping.subarray(8));
    await pair.send(frameOf('Ping', 3, {}));
    expect(typesOf(pair)).toEqual(['opened', 'request']);
  });

  it('stops while the peer does not take its answers, and goes on when it does', async () => {
    const pair = openPair({ unsentBytesMax: 1000 });
    await onHandshakeFrame(pair);
    pair.far.pause();
    await setImmediate();
    pair.connection.write(new Uint8Array(1_000_000));
    pair.connection.updateReading();
    await pair.send(frameOf('Ping', 2, {}));
    expect(typesOf(pair)).toEqual(['opened']);
    pair.far.resume();
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    expect(typesOf(pair)).toEqual(['opened', 'request']);
  });
});

describe('requests without an answer', () => {
  /** A connection that may have four of them, and what its core got. */
  async function patientPair() {
    const pair = openPair({ inFlightMax: 4 });
    await onHandshakeFrame(pair);
    const answer = (
      name: 'HelloOk' | 'Ok' | 'Wait' | 'WaitOk' | 'Error' | 'Deliver',
      id: number,
    ): void => {
      pair.connection.sending(name, id);
      pair.connection.updateReading();
    };
    answer('HelloOk', 1);
    const pings = async (...ids: number[]): Promise<void> => {
      for (const id of ids) await pair.send(frameOf('Ping', id, {}));
      for (let turn = 0; turn < 3; turn++) await setImmediate();
    };
    const taken = (): number => pair.host.events.length - 1;
    return { ...pair, answer, pings, taken };
  }

  it('stop the reading at their limit, until half of them are answered', async () => {
    const { pings, taken, answer } = await patientPair();
    await pings(2, 3, 4, 5, 6);
    expect(taken()).toBe(4);
    answer('Ok', 2);
    await setImmediate();
    expect(taken()).toBe(4);
    answer('Error', 4);
    await pings();
    expect(taken()).toBe(5);
  });

  it('stop at their limit within one read too', async () => {
    const { send, taken, answer, pings } = await patientPair();
    const stream = Buffer.concat(
      Array.from({ length: 100 }, (_, at) => frameOf('Ping', 2 + at, {})),
    );
    await send(stream);
    expect(taken()).toBe(4);
    answer('Ok', 2);
    answer('Ok', 3);
    await pings();
    expect(taken()).toBe(6);
  });

  it('hold their bytes in the intake until they are answered, and none after the end', async () => {
    const { send, answer, host, connection } = await patientPair();
    expect(host.receiveBudget.bytes).toBe(0);
    const frame = frameOf('Pause', 2, { queue: 'a'.repeat(100) });
    await send(frame, frameOf('Ping', 3, {}).subarray(0, 5));
    expect(host.receiveBudget.bytes).toBeGreaterThanOrEqual(frame.length + 5);
    answer('Ok', 2);
    expect(host.receiveBudget.bytes).toBe(5);
    connection.destroy();
    await setImmediate();
    expect(host.receiveBudget.bytes).toBe(0);
  });

  it('do not include a Wait that stands, however many there are and whatever answers them', async () => {
    const { send, pings, taken, answer } = await patientPair();
    for (let id = 10; id < 20; id++) {
      await send(frameOf('Wait', id, { id: hello.session }));
      answer('Wait', id);
    }
    await pings(2, 3, 4);
    expect(taken()).toBe(13);
    for (let id = 10; id < 19; id++) answer('WaitOk', id);
    answer('Error', 19);
    await pings(5, 6);
    expect(taken()).toBe(14);
  });

  it('include a Wait until it stands, as any other request', async () => {
    const { send, pings, taken, answer, host } = await patientPair();
    const waits = [10, 11, 12, 13, 14, 15].map((id) => frameOf('Wait', id, { id: hello.session }));
    await send(Buffer.concat(waits));
    expect(taken()).toBe(4);
    expect(host.receiveBudget.bytes).toBeGreaterThanOrEqual(Buffer.concat(waits).length);
    for (let id = 10; id < 16; id++) {
      answer('Wait', id);
      await pings();
    }
    expect(taken()).toBe(6);
    expect(host.receiveBudget.bytes).toBe(0);
  });

  it('are read some at a time, those of others first who send little, and each once', async () => {
    let isOpen = true;
    const readScheduler = new ReadScheduler(() => isOpen);
    const [greedy, modest] = [openPair({}, readScheduler), openPair({}, readScheduler)];
    for (const pair of [greedy, modest]) {
      await onHandshakeFrame(pair);
      pair.connection.sending('HelloOk', 1);
    }
    const taken = ({ host }: Pair): number => host.events.length - 1;
    const pings = (count: number): Uint8Array =>
      Buffer.concat(Array.from({ length: count }, (_, at) => frameOf('Ping', 2 + at, {})));
    const { promise: isRead, resolve } = Promise.withResolvers<void>();
    greedy.near.once('pause', () => {
      isOpen = false;
      resolve();
    });
    greedy.far.write(pings(1000));
    await isRead;
    const before = taken(greedy);
    expect(before).toBeLessThanOrEqual(64);
    // The core takes no more: what one that sends little asks is read next, after one visit at most.
    await modest.send(pings(1));
    expect(taken(modest)).toBe(0);
    isOpen = true;
    readScheduler.readSoon();
    const seen = Promise.withResolvers<number>();
    modest.host.onEvent = () => {
      seen.resolve(taken(greedy) - before);
      return 0;
    };
    expect(await seen.promise).toBeLessThanOrEqual(64);
    while (readScheduler.has(greedy.connection)) await setImmediate();
    expect(taken(greedy)).toBe(1000);
    expect(greedy.near.isPaused()).toBe(false);
  });

  it('are not answered by what the broker sends of its own accord', async () => {
    const { pings, taken, answer } = await patientPair();
    await pings(2, 3, 4, 5, 6);
    for (let count = 0; count < 4; count++) answer('Deliver', 0);
    await pings();
    expect(taken()).toBe(4);
  });
});
