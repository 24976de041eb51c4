/** One connection on an in-memory stream with a clock of its own: states, deadlines, reading. */

import { duplexPair } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { NetEvent } from '../../../core/broker/events.ts';
import { Connection } from '../../../core/broker/net/connection.ts';
import { type NetLimits, netLimitDefaults } from '../../../core/broker/net/net-limits.ts';
import {
  type AnyMessage,
  decodeFrame,
  encodeFrame,
  encodePreamble,
  errorCodeOf,
  FrameSplitter,
  limits,
  type Message,
  type MessageName,
  preambleBytes,
  Writer,
} from '../../../core/protocol/index.ts';

const hello: Message<'Hello'> = {
  session: '0123456789abcdefghjkmnpqr0',
  client: 'test',
  proof: new Uint8Array(0),
  features: 0,
  frameBytesMax: limits.frameBytesMaxMin,
};

function frameOf<N extends MessageName>(name: N, id: number, fields: Message<N>): Uint8Array {
  const writer = new Writer();
  encodeFrame(writer, name, id, fields);
  return writer.written();
}

/** A connection, the other end of its stream, and a clock that only the test moves. */
function openPair(netLimits: Partial<NetLimits> = {}) {
  const [near, far] = duplexPair();
  const host = {
    limits: { ...netLimitDefaults, ...netLimits },
    congested: false,
    nowMs: 0,
    events: [] as NetEvent[],
    states: [] as string[],
    now: () => host.nowMs,
    onEvent: (event: NetEvent) => void host.events.push(event),
    onState: ({ state }: Connection, from: string) => {
      host.states.push(`${from} to ${state}`);
    },
  };
  const connection = new Connection(near, { id: 5, transport: 'unix', guard: null, host });
  const chunks: Uint8Array[] = [];
  far.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  far.on('error', () => {});
  const received = (): AnyMessage[] => {
    const splitter = new FrameSplitter(1 << 20);
    splitter.push(Buffer.concat(chunks));
    splitter.takeRaw(preambleBytes);
    const messages: AnyMessage[] = [];
    for (let frame = splitter.next(); frame; frame = splitter.next()) {
      messages.push(decodeFrame(frame));
    }
    return messages;
  };
  const send = async (...parts: Uint8Array[]): Promise<void> => {
    for (const part of parts) far.write(part);
    await setImmediate();
  };
  const errors = (): string[] =>
    received().flatMap(({ name, fields }) => (name === 'Error' ? [errorCodeOf(fields.code)] : []));
  return { connection, near, far, host, received, errors, send };
}

type Pair = ReturnType<typeof openPair>;

async function greet({ send }: Pair): Promise<void> {
  await send(encodePreamble(), frameOf('Hello', 1, hello));
}

function typesOf({ host }: Pair): string[] {
  return host.events.map(({ type }) => type);
}

describe('the life of a connection', () => {
  it('goes from preamble to hello to open to closed, and tells the core of both ends', async () => {
    const pair = openPair();
    expect(pair.connection.state).toBe('preamble');
    await pair.send(encodePreamble());
    expect(pair.connection.state).toBe('hello');
    await pair.send(frameOf('Hello', 1, hello));
    expect(pair.connection.state).toBe('open');
    pair.far.destroy();
    pair.near.destroy();
    await setImmediate();
    expect(pair.connection.state).toBe('closed');
    expect(typesOf(pair)).toEqual(['opened', 'closed']);
    expect(pair.host.states).toEqual(['preamble to hello', 'hello to open', 'open to closed']);
  });

  it('tells the core nothing of a peer that never said Hello', async () => {
    const pair = openPair();
    await pair.send(encodePreamble());
    pair.connection.destroy();
    await setImmediate();
    expect(pair.host.events).toEqual([]);
    expect(pair.host.states).toEqual(['preamble to hello', 'hello to closed']);
  });

  it('takes requests that came in one piece with Hello, in order', async () => {
    const pair = openPair();
    const parts = [encodePreamble(), frameOf('Hello', 1, hello), frameOf('Ping', 2, {})];
    await pair.send(Buffer.concat(parts));
    expect(typesOf(pair)).toEqual(['opened', 'request']);
  });

  it('reads nothing of what follows a protocol error', async () => {
    const pair = openPair();
    await greet(pair);
    await pair.send(Buffer.concat([frameOf('Ok', 2, {}), frameOf('Ping', 3, {})]));
    await pair.send(frameOf('Ping', 4, {}));
    expect(pair.connection.state).toBe('draining');
    expect(pair.errors()).toEqual(['BAD_FRAME']);
    expect(typesOf(pair)).toEqual(['opened', 'closed']);
  });

  it('sends nothing more once it drains, and closes once its peer did', async () => {
    const pair = openPair();
    await greet(pair);
    pair.connection.write(frameOf('Ok', 2, {}));
    pair.connection.drain();
    pair.connection.drain();
    pair.connection.write(frameOf('Ok', 3, {}));
    pair.far.end();
    await setImmediate();
    await setImmediate();
    expect(pair.received().map(({ correlationId }) => correlationId)).toEqual([2]);
    expect(pair.connection.state).toBe('closed');
    expect(typesOf(pair)).toEqual(['opened', 'closed']);
  });

  it('drops what a draining peer still sends, and ends when it does not close in time', async () => {
    const pair = openPair();
    await greet(pair);
    pair.connection.drain();
    await pair.send(new Uint8Array(100_000));
    pair.connection.tick(netLimitDefaults.lingerMs);
    expect(pair.connection.state).toBe('draining');
    pair.connection.tick(netLimitDefaults.lingerMs + 1);
    await setImmediate();
    expect(pair.connection.state).toBe('closed');
  });
});

it('a draining connection reads on to its end even while the core is behind', async () => {
  const pair = openPair();
  await greet(pair);
  pair.host.congested = true;
  pair.connection.updateReading();
  pair.connection.drain();
  pair.far.end(new Uint8Array(1000));
  for (let turn = 0; turn < 3; turn++) await setImmediate();
  expect(pair.connection.state).toBe('closed');
});

describe('deadlines', () => {
  it('give Hello its time, not renewed by the preamble', async () => {
    const pair = openPair();
    pair.host.nowMs = 3000;
    await pair.send(encodePreamble());
    pair.connection.tick(netLimitDefaults.handshakeMs);
    expect(pair.errors()).toEqual([]);
    pair.connection.tick(netLimitDefaults.handshakeMs + 1);
    await setImmediate();
    expect(pair.errors()).toEqual(['TOO_SLOW']);
  });

  it('let an idle connection be', async () => {
    const pair = openPair();
    await greet(pair);
    pair.connection.tick(1e9);
    expect(pair.connection.state).toBe('open');
  });

  it('give a begun frame its time, not renewed by each byte', async () => {
    const pair = openPair();
    await greet(pair);
    const frame = frameOf('Pause', 2, { queue: 'summarize' });
    for (let at = 0; at < 10; at++) {
      pair.host.nowMs = at * 1000;
      await pair.send(frame.subarray(at, at + 1));
    }
    pair.connection.tick(netLimitDefaults.frameMs);
    expect(pair.connection.state).toBe('open');
    pair.connection.tick(netLimitDefaults.frameMs + 1);
    await setImmediate();
    expect(pair.errors()).toEqual(['TOO_SLOW']);
  });

  it('begin again with each frame of a busy stream that never ends on a frame', async () => {
    const pair = openPair();
    await greet(pair);
    const stream = Buffer.concat(
      Array.from({ length: 40 }, (_, at) => frameOf('Ping', at + 1, {})),
    );
    for (let at = 0; at < 19; at++) {
      pair.host.nowMs += netLimitDefaults.frameMs / 2;
      await pair.send(stream.subarray(at * 20, at * 20 + 20));
      pair.connection.tick(pair.host.nowMs);
    }
    expect(pair.connection.state).toBe('open');
  });
});

describe('reading', () => {
  it('stops while the core is behind, goes on after, and the pause counts against nobody', async () => {
    const pair = openPair();
    await greet(pair);
    const ping = frameOf('Ping', 2, {});
    await pair.send(ping.subarray(0, 4));
    pair.host.congested = true;
    pair.connection.updateReading();
    await pair.send(ping.subarray(4));
    pair.host.nowMs = 60_000;
    pair.connection.tick(pair.host.nowMs);
    expect(typesOf(pair)).toEqual(['opened']);
    pair.host.congested = false;
    pair.connection.updateReading();
    pair.connection.tick(pair.host.nowMs);
    await setImmediate();
    expect(typesOf(pair)).toEqual(['opened', 'request']);
    expect(pair.errors()).toEqual([]);
  });

  it('stops while the peer does not take its answers, and goes on when it does', async () => {
    const pair = openPair();
    await greet(pair);
    pair.far.pause();
    while (!pair.near.writableNeedDrain) pair.connection.write(frameOf('Ok', 9, {}));
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
    const pair = openPair({ unansweredMax: 4 });
    await greet(pair);
    const answer = (name: 'HelloOk' | 'Ok' | 'WaitOk' | 'Error' | 'Deliver', id: number): void => {
      pair.connection.sent(name, id);
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

  it('do not include Wait, however many there are and whatever answers them', async () => {
    const { send, pings, taken, answer } = await patientPair();
    for (let id = 10; id < 20; id++) {
      await send(frameOf('Wait', id, { id: hello.session }));
    }
    await pings(2, 3, 4);
    expect(taken()).toBe(13);
    for (let id = 10; id < 19; id++) answer('WaitOk', id);
    answer('Error', 19);
    await pings(5, 6);
    expect(taken()).toBe(14);
  });

  it('are not answered by what the broker sends of its own accord', async () => {
    const { pings, taken, answer } = await patientPair();
    await pings(2, 3, 4, 5, 6);
    for (let count = 0; count < 4; count++) answer('Deliver', 0);
    await pings();
    expect(taken()).toBe(4);
  });
});
