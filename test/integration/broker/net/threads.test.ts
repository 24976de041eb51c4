/** Several I/O threads on one TCP port: who gets a peer, what a dead thread takes along, limits. */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NetEvent } from '../../../../core/broker/events.ts';
import type { IoPoolOptions } from '../../../../core/broker/net/pool/io-pool.ts';
import { encodePreamble, idToText } from '../../../../core/protocol/index.ts';
import { Peer, startTestBroker, type TestBroker, watchWorkers, welcomed } from './peer.ts';

let broker: TestBroker;
let workers: ReturnType<typeof watchWorkers>;

beforeEach(() => {
  workers = watchWorkers();
});

afterEach(async () => {
  workers.release();
  await broker.stop();
});

async function start(options: Partial<IoPoolOptions>): Promise<void> {
  broker = await startTestBroker(options);
}

function connectionsOf(events: readonly NetEvent[], type: NetEvent['type']): number[] {
  return events.filter((event) => event.type === type).map(({ connection }) => connection);
}

/** Peers that said Hello one after the other, each with the number of its connection. */
async function welcome(count: number): Promise<{ peer: Peer; connection: number }[]> {
  const welcomedPeers: { peer: Peer; connection: number }[] = [];
  for (let at = 0; at < count; at++) {
    const peer = broker.tcpPeer();
    await peer.hello();
    const connection = connectionsOf(broker.events, 'opened').at(-1) ?? 0;
    welcomedPeers.push({ peer, connection });
  }
  return welcomedPeers;
}

/** Which of the threads in order of birth has a connection: its number says so. */
function threadOf(connection: number, threads: number): number {
  return (connection - 1) % threads;
}

async function pingAll(peers: readonly Peer[]): Promise<string[]> {
  for (const peer of peers) peer.send('Ping', 77, {});
  return Promise.all(peers.map(async (peer) => (await peer.answer(77)).name));
}

function worker(thread: number): Worker {
  const found = workers.born[thread];
  if (found === undefined) throw new Error(`no thread ${thread} was born`);
  return found;
}

describe('several threads', () => {
  it('share the peers of one TCP port', async () => {
    await start({ threads: 3 });
    const peers = await welcome(48);
    const threads = peers.map(({ connection }) => threadOf(connection, 3));
    expect(new Set(threads)).toEqual(new Set([0, 1, 2]));
    expect(new Set(await pingAll(peers.map(({ peer }) => peer)))).toEqual(new Set(['Ok']));
    expect(workers.born).toHaveLength(3);
    expect(broker.pool.connections).toBe(48);
  });

  it('serve who came to the first of them before the last one was there', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as AddressInfo;
    free.close();
    const tcp = { host: '127.0.0.1', port };
    // The second thread is made once the first one listens, and needs a while to get there.
    const greeted: Promise<Peer>[] = [];
    const onWorker = ({ threadName }: Worker): void => {
      if (threadName === 'aiq-io-1') greeted.push(welcomed(() => new Peer(tcp)));
    };
    process.on('worker', onWorker);
    await start({ threads: 2, tcp });
    process.off('worker', onWorker);
    expect(await pingAll(await Promise.all(greeted))).toEqual(['Ok']);
  });

  it('are one only where there is no TCP', async () => {
    await start({ threads: 3, tcp: null });
    expect((await broker.unixPeer().hello()).name).toBe('HelloOk');
    expect(workers.born).toHaveLength(1);
  });

  it('hold one limit of connections together, on both sockets', async () => {
    await start({ threads: 3, connectionsMax: 6 });
    const peers = await welcome(5);
    await broker.unixPeer().hello();
    for (let count = 0; count < 6; count++) {
      expect((await broker.tcpPeer().refusal()).code).toBe('TOO_MANY_CONNECTIONS');
    }
    expect((await broker.unixPeer().refusal()).code).toBe('TOO_MANY_CONNECTIONS');
    await peers[0]?.peer.close();
    await broker.until((events) => events.at(-1)?.type === 'closed');
    // Those that were refused are counted until their threads see that they are gone.
    await welcomed(() => broker.tcpPeer());
  });

  it('hold one limit of strangers together', async () => {
    // All at once, so that several threads look for the last place in the same moment.
    await start({ threads: 3, handshakesMax: 5 });
    const client = broker.unixPeer();
    await client.hello();
    const unauthenticated = Array.from({ length: 25 }, () => broker.tcpPeer());
    const codes: string[] = [];
    const allOver = Promise.withResolvers<void>();
    const refused = unauthenticated.map(async (stranger) => {
      codes.push((await stranger.refusal()).code);
      if (codes.length === 20) allOver.resolve();
    });
    await allOver.promise;
    expect(new Set(codes)).toEqual(new Set(['TOO_MANY_CONNECTIONS']));
    expect(await pingAll([client])).toEqual(['Ok']);
    expect(broker.notices.join()).toMatch(
      /a login over tcp from 127\.0\.0\.1:\d+ was refused: TOO_MANY/,
    );
    await Promise.allSettled([
      ...unauthenticated.map(async (one) => await one.close()),
      ...refused,
    ]);
  });
});

it('strangers over TCP take no place of the Unix socket, neither before Hello nor in all', async () => {
  await start({ threads: 2, handshakesMax: 5, connectionsMax: 8 });
  const unauthenticated = Array.from({ length: 5 }, () => broker.tcpPeer());
  for (const stranger of unauthenticated) stranger.raw(encodePreamble());
  while (unauthenticated.some(({ version }) => version === null)) await new Promise(setImmediate);
  const clients: Peer[] = [];
  while (clients.length < 8) {
    const client = broker.unixPeer();
    expect((await client.hello({ session: idToText(randomBytes(16)) })).name).toBe('HelloOk');
    clients.push(client);
  }
  expect((await broker.unixPeer().refusal()).code).toBe('TOO_MANY_CONNECTIONS');
  expect(await pingAll(clients)).toEqual(clients.map(() => 'Ok'));
  await Promise.all([...unauthenticated, ...clients].map(async (peer) => await peer.close()));
});

describe('a thread that dies', () => {
  it('takes its own connections along, is started again, and nobody else notices', async () => {
    await start({ threads: 2, connectionsMax: 33 });
    const all = await welcome(32);
    const lost = all.filter(({ connection }) => threadOf(connection, 2) === 1);
    const kept = all.filter(({ connection }) => threadOf(connection, 2) === 0);
    expect(lost.length * kept.length).toBeGreaterThan(0);
    await worker(1).terminate();
    await Promise.all(lost.map(async ({ peer }) => await peer.closed));
    await broker.until(() => broker.notices.length > 0);
    expect(connectionsOf(broker.events, 'closed').toSorted((a, b) => a - b)).toEqual(
      lost.map(({ connection }) => connection).toSorted((a, b) => a - b),
    );
    expect(broker.notices).toEqual([expect.stringContaining('starts again')]);
    expect(new Set(await pingAll(kept.map(({ peer }) => peer)))).toEqual(new Set(['Ok']));
    expect(broker.pool.connections).toBe(kept.length);
    // As many fit as before, so the dead thread's places are free; some of them get to the new one.
    for (let count = 0; count < lost.length; count++) await welcomed(broker.tcpPeer);
    await reachThread(1);
    const numbers = connectionsOf(broker.events, 'opened');
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(workers.born).toHaveLength(3);
    expect(broker.lost).toEqual([]);
  });

  it('comes back with the Unix socket when it had it, on the same path and port', async () => {
    await start({ threads: 2 });
    const [byUnix, byTcp] = [broker.unixPeer(), await peerOf(1)];
    await byUnix.hello();
    await worker(0).terminate();
    await byUnix.closed;
    const again = await welcomed(broker.unixPeer);
    expect(await pingAll([again, byTcp])).toEqual(['Ok', 'Ok']);
    await reachThread(0);
  });

  it('comes back on its port also when it is the only one', async () => {
    await start({ unixPath: null });
    const peer = broker.tcpPeer();
    await peer.hello();
    await worker(0).terminate();
    await peer.closed;
    expect(await pingAll([await welcomed(broker.tcpPeer)])).toEqual(['Ok']);
  });

  it('tells when clients cannot connect, and when they can again', async () => {
    const told: boolean[] = [];
    await start({ threads: 2, onReachable: (isReachable) => told.push(isReachable) });
    const peer = await peerOf(1);
    expect(told).toEqual([]);
    await worker(1).terminate();
    await peer.closed;
    await reachThread(1);
    expect(told).toEqual([false, true]);
  });

  it('by an exception is reported with what it threw', async () => {
    await start({ threads: 2 });
    const peer = await peerOf(1);
    // Nothing that a peer sends does this: a thread trusts the core that it works for.
    worker(1).postMessage({ type: 'send' }, []);
    await peer.closed;
    await broker.until(() => broker.notices.length > 0);
    expect(broker.notices[0]).toMatch(/an I\/O thread died \(Cannot destructure/);
  });

  it('too often is not started again, while the others still serve', async () => {
    await start({ threads: 2, restartsMax: 2, restartDelayMs: 1 });
    const kept = await peerOf(0);
    for (let born = 1; born <= 3; born++) {
      await broker.until(() => broker.notices.length === born - 1);
      while (workers.born.length <= born) await welcomed(broker.unixPeer);
      await worker(born).terminate();
    }
    await broker.until(() => broker.lost.length > 0);
    expect(broker.lost.map(({ message }) => message)).toEqual([
      expect.stringMatching(/die too often, the last one with: it ended with code/),
    ]);
    expect(workers.born).toHaveLength(4);
    expect(await pingAll([kept])).toEqual(['Ok']);
  });

  it('is not started again once the pool stops listening', async () => {
    await start({ threads: 2 });
    const kept = await peerOf(0);
    const gone = await peerOf(1);
    await broker.pool.stopListening();
    await worker(1).terminate();
    await gone.closed;
    expect(await pingAll([kept])).toEqual(['Ok']);
    await broker.pool.stop();
    expect(workers.born).toHaveLength(2);
    expect(broker.notices).toEqual([]);
  });
});

/** A new peer of the given thread of two; the others that it took to get there leave again. */
async function peerOf(thread: number): Promise<Peer> {
  for (;;) {
    const known = broker.events.length;
    const peer = await welcomed(broker.tcpPeer);
    const [connection = 0] = connectionsOf(broker.events.slice(known), 'opened');
    if (threadOf(connection, 2) === thread) return peer;
    await peer.close();
  }
}

async function reachThread(thread: number): Promise<void> {
  const peer = await peerOf(thread);
  expect(await pingAll([peer])).toEqual(['Ok']);
  await peer.close();
}
