/** The pool from its door: many peers, slow ones, limits, stopping without loss. */

import { crc32 } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { factsOfJob, type NetEvent, type Outgoing } from '../../../../core/broker/events.ts';
import { encodeJob, type Job, plainJob } from '../../../../core/protocol/index.ts';
import { frameOf, type Peer, session, startTestBroker, type TestBroker } from './peer.ts';

let broker: TestBroker | null = null;

afterEach(async () => {
  await broker?.stop();
  broker = null;
});

const job: Job = {
  id: session,
  queue: 'summarize',
  digest: new Uint8Array(16).fill(7),
  body: new TextEncoder().encode('{"text":"hello"}'),
  agent: 'summarize',
  agentDigest: new Uint8Array(32).fill(9),
  source: 'hello.txt',
  createdAtMs: 1_790_000_000_000,
  ...plainJob,
};

function openedOf(events: readonly NetEvent[]): number[] {
  return events.filter(({ type }) => type === 'opened').map(({ connection }) => connection);
}

function okTo(connection: number, correlationId: number): Outgoing {
  return { connection, correlationId, name: 'Ok', fields: {} };
}

/** A delivery whose job has `jobBytes` bytes. */
function delivery(connection: number, jobBytes: number): Outgoing {
  const token = { id: session, epoch: 1, delivery: 1 };
  const bytes = new Uint8Array(jobBytes).fill(5);
  const item = { token, attempt: 1, crashes: 0, isolated: false, leaseMs: 1, enqueuedAtMs: 1 };
  const fields = { items: [{ ...item, job: bytes }] };
  return { connection, correlationId: 0, name: 'Deliver', fields };
}

describe('the pool', () => {
  it('serves 64 peers at once on both sockets, and counts them', async () => {
    broker = await startTestBroker();
    const { pool, unixPeer, tcpPeer } = broker;
    const peers = Array.from({ length: 64 }, (_, at) => (at % 2 === 0 ? unixPeer() : tcpPeer()));
    await Promise.all(peers.map(async (peer) => await peer.hello()));
    expect(pool.connections).toBe(64);
    expect(new Set(openedOf(broker.events)).size).toBe(64);
    peers.forEach((peer, at) => peer.send('Ping', 100 + at, {}));
    const answers = peers.map(async (peer, at) => (await peer.answer(100 + at)).name);
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['Ok']));
    await Promise.all(peers.map(async (peer) => await peer.close()));
    await broker.until((events) => events.filter(({ type }) => type === 'closed').length === 64);
    expect(pool.connections).toBe(0);
  });

  it('keeps the proof to itself and asks none of a Unix peer', async () => {
    broker = await startTestBroker();
    const [byUnix, byTcp] = [broker.unixPeer(), broker.tcpPeer()];
    await byUnix.hello();
    await byTcp.hello();
    const hellos = broker.events.flatMap((event) => (event.type === 'opened' ? [event] : []));
    expect(hellos.map(({ transport }) => transport)).toEqual(['unix', 'tcp']);
    expect(hellos.map(({ hello }) => hello.proof.length)).toEqual([0, 0]);
  });

  it('hands jobs over checked, each bad one with its own code', async () => {
    broker = await startTestBroker();
    const peer = broker.unixPeer();
    await peer.hello();
    const whole = encodeJob(job, crc32);
    const damaged = whole.slice();
    damaged[40] = 255 - (damaged[40] ?? 0);
    const nameless = encodeJob({ ...job, queue: 'Not A Queue' }, crc32);
    peer.send('Enqueue', 5, { atomic: true, jobs: [whole, damaged, nameless] });
    await peer.answer(5);
    const event = broker.events.find(({ type }) => type === 'enqueue');
    if (event?.type !== 'enqueue') throw new Error('no enqueue');
    expect(event.atomic).toBe(true);
    expect(event.jobs).toEqual([
      { ok: true, bytes: whole, job: factsOfJob(whole) },
      { ok: false, id: null, code: 'CHECKSUM', message: expect.stringContaining('damaged') },
      { ok: false, id: job.id, code: 'BAD_JOB', message: expect.stringContaining('Not A Queue') },
    ]);
  });

  it('does not take the bytes of a message from the core when it sends them', async () => {
    broker = await startTestBroker();
    const peer = broker.unixPeer();
    await peer.hello();
    const [connection = 0] = openedOf(broker.events);
    const message = delivery(connection, 1000);
    broker.pool.send([message, message]);
    const sent = frameOf(message.name, 0, message.fields);
    for (const received of [await peer.answer(0), await peer.answer(0)]) {
      expect(Buffer.compare(frameOf(received.name, 0, received.fields), sent)).toBe(0);
    }
  });

  it('closes after a message that says so, with everything before it sent', async () => {
    broker = await startTestBroker();
    const peer = broker.unixPeer();
    await peer.hello();
    const [connection = 0] = openedOf(broker.events);
    broker.pool.send([
      delivery(connection, 1_000_000),
      { ...okTo(connection, 9), thenClose: true },
      okTo(connection, 10),
    ]);
    await peer.closed;
    expect(peer.received.map(({ name, correlationId }) => [name, correlationId])).toEqual([
      ['Deliver', 0],
      ['Ok', 9],
    ]);
    await broker.until((events) => events.at(-1)?.type === 'closed');
  });

  it('closes nobody who reads, however much is sent to him at once', async () => {
    broker = await startTestBroker();
    const peer = broker.unixPeer();
    await peer.hello();
    const [connection = 0] = openedOf(broker.events);
    const deliveries = Array.from({ length: 32 }, () => delivery(connection, 1_000_000));
    broker.pool.send([...deliveries, okTo(connection, 7)]);
    expect((await peer.answer(7)).name).toBe('Ok');
    expect(peer.received).toHaveLength(32);
    expect(broker.pool.connections).toBe(1);
  });

  it('closes a peer that takes nothing for too long, and no other', async () => {
    broker = await startTestBroker({ unixStallMs: 100 });
    const [peer, good] = [broker.unixPeer(), broker.unixPeer()];
    await peer.hello();
    await good.hello();
    const [connection = 0] = openedOf(broker.events);
    peer.socket.pause();
    for (let sent = 0; sent < 4; sent++) broker.pool.send([delivery(connection, 1_000_000)]);
    await broker.until((events) => events.at(-1)?.type === 'closed');
    expect(broker.events.at(-1)).toEqual({ type: 'closed', connection });
    good.send('Ping', 4, {});
    expect((await good.answer(4)).name).toBe('Ok');
    await peer.close();
  });

  it('answers a message that it cannot encode with an Error, and ends on a lost push', async () => {
    broker = await startTestBroker();
    const peer = broker.unixPeer();
    await peer.hello();
    const [connection = 0] = openedOf(broker.events);
    broker.pool.send([{ ...delivery(connection, 5_000_000), correlationId: 6 }]);
    expect(await peer.answer(6)).toMatchObject({ name: 'Error', fields: { code: 3 } });
    broker.pool.send([delivery(connection, 5_000_000)]);
    expect(await peer.refusal()).toEqual({ code: 'FRAME_TOO_LARGE', correlationId: 0 });
  });

  it('refuses peers over the limit with TOO_MANY_CONNECTIONS until one leaves', async () => {
    broker = await startTestBroker({ connectionsMax: 2 });
    const [first, second] = [broker.unixPeer(), broker.tcpPeer()];
    await first.hello();
    await second.hello();
    const third = broker.tcpPeer();
    expect((await third.refusal()).code).toBe('TOO_MANY_CONNECTIONS');
    await first.close();
    await broker.until((events) => events.at(-1)?.type === 'closed');
    expect((await broker.unixPeer().hello()).name).toBe('HelloOk');
  });

  it('refuses strangers over their limit while clients are served', async () => {
    broker = await startTestBroker({ handshakesMax: 1 });
    const client = broker.unixPeer();
    await client.hello();
    const unauthenticated = [broker.tcpPeer(), broker.tcpPeer()];
    expect(
      await Promise.race(unauthenticated.map(async (stranger) => await stranger.refusal())),
    ).toEqual({
      code: 'TOO_MANY_CONNECTIONS',
      correlationId: 0,
    });
    client.send('Ping', 3, {});
    expect((await client.answer(3)).name).toBe('Ok');
  });
});

describe('the end', () => {
  it('stopListening refuses new peers and keeps those that stand', async () => {
    broker = await startTestBroker();
    const peer = broker.unixPeer();
    await peer.hello();
    await broker.pool.stopListening();
    for (const late of [broker.unixPeer(), broker.tcpPeer()]) {
      await late.closed;
      expect(late.version).toBeNull();
    }
    peer.send('Ping', 2, {});
    expect((await peer.answer(2)).name).toBe('Ok');
  });

  it('stop lets everything leave that was sent, closes, and reports nothing more', async () => {
    broker = await startTestBroker();
    const peers: Peer[] = [broker.unixPeer(), broker.tcpPeer()];
    for (const peer of peers) await peer.hello();
    const connections = openedOf(broker.events);
    const reported = broker.events.length;
    for (const connection of connections) {
      const deliveries = Array.from({ length: 6 }, () => delivery(connection, 1_000_000));
      broker.pool.send([...deliveries, okTo(connection, 30)]);
    }
    await broker.pool.stop();
    for (const peer of peers) {
      await peer.closed;
      expect(peer.received).toHaveLength(7);
      expect(peer.received.at(-1)?.correlationId).toBe(30);
    }
    expect(broker.events).toHaveLength(reported);
  });

  it('stop does not wait for a peer that never reads', async () => {
    broker = await startTestBroker({ stopMs: 100 });
    const peer = broker.unixPeer();
    await peer.hello();
    const [connection = 0] = openedOf(broker.events);
    peer.socket.pause();
    broker.pool.send([delivery(connection, 3_000_000)]);
    await broker.pool.stop();
    await peer.close();
  });
});
