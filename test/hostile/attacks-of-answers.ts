/** Attacks by requests that are small and answers that are large, read by nobody or by many. */

import { createHash } from 'node:crypto';
import { coreDefaults } from '../../core/broker/state-machine/context/core.ts';
import { limits, type Message } from '../../core/protocol/index.ts';
import { type Attack, answers, type Ground, lanes, noStock, range, type Stock } from './attack.ts';
import { jobOf, Peer, pipelined, randomId, type Where } from './peer.ts';

const rows = 2_000;
/** Nearly all that there may be: newcomers need names as well. */
const manyQueues = 9_850;
const batch = 1_000;
const largeBodyBytes = 1_000_000;
const chunkBytes = limits.blobChunkBytesMax;
const noteBytes = 8_000;

const list: Message<'List'> = { queue: null, state: null, before: 0, limit: 1_000 };
const stats: Message<'Stats'> = { queues: [] };
export const anySearch: Message<'Search'> = {
  queue: null,
  states: [],
  agent: null,
  tag: null,
  text: null,
  errorCode: null,
  sinceMs: 0,
  untilMs: 0,
  costMicrosMin: 0,
  after: '',
  limit: 1_000,
};

/** So many jobs that wait in one queue. */
export async function stockJobs(peer: Peer, queue: string, count: number, bodyBytes = 2) {
  const size = Math.min(batch, Math.floor(limits.frameBytesMax / 2 / (bodyBytes + 200)));
  for (let left = count; left > 0; left -= size) {
    await peer.enqueue(range(Math.min(size, left)).map(() => jobOf(queue, { bodyBytes })));
  }
}

async function stockRows(peer: Peer): Promise<Stock> {
  await stockJobs(peer, 'rows', rows);
  return noStock;
}

/** By several clients: each may name half of what is free. */
async function stockQueues(_: Peer, where: Where): Promise<Stock> {
  for (let first = 0; first < manyQueues; ) {
    const peer = await Peer.open(where);
    const share = Math.floor((coreDefaults.queuesMax - first) / 2);
    const end = Math.min(manyQueues, first + share);
    while (first < end) {
      const size = Math.min(batch, end - first);
      const begin = first;
      await peer.enqueue(range(size).map((index) => jobOf(`queue-${begin + index}`)));
      first += size;
    }
    peer.close();
  }
  return noStock;
}

async function stockLargeJob(peer: Peer): Promise<Stock> {
  const id = randomId();
  await peer.enqueue([jobOf('large', { id, bodyBytes: largeBodyBytes })]);
  return { ...noStock, id };
}

async function stockBlob(peer: Peer): Promise<Stock> {
  const content = new Uint8Array(limits.blobBytesMax).fill(7);
  const sha256 = createHash('sha256').update(content).digest();
  for (let offset = 0; offset < content.length; offset += chunkBytes) {
    const chunk = content.subarray(offset, offset + chunkBytes);
    await peer.ask('BlobPut', { sha256, totalBytes: content.length, offset, chunk });
  }
  return { ...noStock, sha256: sha256.toString('hex') };
}

function blobGets(count: number, { sha256 }: Stock): Uint8Array {
  const hash = Buffer.from(sha256, 'hex');
  return pipelined(count, 'BlobGet', (index) => ({
    sha256: hash,
    offset: (index * chunkBytes) % limits.blobBytesMax,
    bytesMax: chunkBytes,
  }));
}

interface Storm extends Omit<Attack, 'run'> {
  readonly connections: number;
  /** Requests of one connection, in one write. */
  readonly count: number;
  readonly requests: (count: number, stock: Stock) => Uint8Array;
  /** An honest client: it reads all answers, then asks the same again. */
  readonly reads?: boolean;
}

function storm({ connections, count, requests, reads = false, ...attack }: Storm): Attack {
  const run = async (ground: Ground): Promise<void> => {
    const bytes = requests(count, ground.stock);
    await lanes(ground, connections, async (peer) => {
      if (!reads) peer.socket.pause();
      await peer.flood(bytes);
      if (!reads) return;
      // The answer to Hello is the first.
      for (let wanted = 1 + count; await answers(peer, ground, wanted); wanted += count) {
        await peer.flood(bytes);
      }
    });
  };
  return { ...attack, run };
}

const lists = (count: number): Uint8Array => pipelined(count, 'List', list);
const allStats = (count: number): Uint8Array => pipelined(count, 'Stats', stats);

/** List and Search in turns, as fast as the socket takes them. */
const flood: Attack = {
  name: 'flood20',
  does: '20 connections write List and Search without a pause and read nothing',
  prepare: stockRows,
  run: (ground) =>
    lanes(ground, 20, async (peer) => {
      const bytes = Buffer.concat([lists(500), pipelined(100, 'Search', anySearch, 502)]);
      peer.socket.pause();
      while (!peer.isClosed() && !ground.isOver()) await peer.flood(bytes);
    }),
};

/** 200 watchers of everything that do not read, while a consumer settles with long notes. */
const readers: Attack = {
  name: 'readers',
  does: '200 connections watch all queues and read nothing, while jobs end with notes of 8 kB',
  run: async (ground) => {
    const watch = pipelined(1, 'Watch', { queues: [] });
    const work = async (peer: Peer): Promise<void> => {
      const note = JSON.stringify('x'.repeat(noteBytes));
      peer.onDelivery = ({ token }) => {
        ground.count('settled');
        peer.ack(token, note).catch(() => undefined);
      };
      await peer.ask('Subscribe', { queues: ['watched'], credit: 500 });
      while (!peer.isClosed() && !ground.isOver()) await stockJobs(peer, 'watched', 500);
    };
    await lanes(ground, 201, async (peer, lane) => {
      if (lane === 0) return work(peer);
      peer.socket.pause();
      await peer.flood(watch);
    });
  },
};

export const attacksOfAnswers: readonly Attack[] = [
  storm({
    name: 'amp-list',
    does: '2,500 List of 1,000 rows on one connection that reads nothing',
    connections: 1,
    count: 2_500,
    requests: lists,
    prepare: stockRows,
  }),
  storm({
    name: 'amp-list1000',
    does: '1,000 List on each of 4 connections that read nothing',
    connections: 4,
    count: 1_000,
    requests: lists,
    prepare: stockRows,
  }),
  storm({
    name: 'amp-list2',
    does: '2,500 List on each of 3 connections that read nothing',
    connections: 3,
    count: 2_500,
    requests: lists,
    prepare: stockRows,
  }),
  flood,
  storm({
    name: 'amp-stats',
    does: '4,096 Stats of some 10,000 queues on one connection that reads nothing',
    connections: 1,
    count: 4_096,
    requests: allStats,
    prepare: stockQueues,
  }),
  storm({
    name: 'amp-stats100',
    does: '100 Stats of some 10,000 queues on one connection that reads nothing',
    connections: 1,
    count: 100,
    requests: allStats,
    prepare: stockQueues,
  }),
  storm({
    name: 'amp-inspect',
    does: '3,600 Inspect of a job of 1 MB on one connection that reads nothing',
    connections: 1,
    count: 3_600,
    prepare: stockLargeJob,
    requests: (count, { id }) => pipelined(count, 'Inspect', { idPrefix: id, withJob: true }),
  }),
  storm({
    name: 'amp-blob',
    does: '1,000 BlobGet on each of 20 connections that read nothing',
    connections: 20,
    count: 1_000,
    requests: blobGets,
    prepare: stockBlob,
  }),
  storm({
    name: 'blobread',
    does: '1,000 BlobGet on each of 200 connections that read nothing',
    connections: 200,
    count: 1_000,
    requests: blobGets,
    prepare: stockBlob,
  }),
  storm({
    name: 'lists-read',
    does: '4 honest clients with 1,000 List each in their pipelines, every answer read',
    connections: 4,
    count: 1_000,
    requests: lists,
    prepare: stockRows,
    reads: true,
  }),
  storm({
    name: 'blobs-read',
    does: '16 honest readers of a blob of 64 MiB, all its chunks in the pipeline',
    connections: 16,
    count: 256,
    requests: blobGets,
    prepare: stockBlob,
    reads: true,
  }),
  storm({
    name: 'stats-read',
    does: '4 honest clients with 100 Stats of some 10,000 queues each, every answer read',
    connections: 4,
    count: 100,
    requests: allStats,
    prepare: stockQueues,
    reads: true,
  }),
  readers,
];
