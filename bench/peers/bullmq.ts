/** BullMQ on a Redis that syncs its append-only file before it answers. */

import { listens } from '../measure/listens.ts';
import { versionOf } from '../server/find-peers.ts';
import type { Client, ConnectOptions, JobData, Peer, StartOptions } from '../server/peer.ts';
import { freePort, makeFolder, ServerProcess } from '../server/server-process.ts';

/** No snapshot and no rewrite disturbs a window. */
const serverSettings: readonly string[] = Object.entries({
  bind: '127.0.0.1',
  appendonly: 'yes',
  appendfsync: 'always',
  save: '',
  'auto-aof-rewrite-percentage': '0',
  'maxmemory-policy': 'noeviction',
}).flatMap(([name, value]) => [`--${name}`, value]);

export const peer: Peer = {
  name: 'bullmq',
  title: 'BullMQ on Redis',
  isDurable: true,
  packages: { bullmq: '6.7.0', ioredis: '5.11.1' },
  debianPackage: 'redis-server',
  version: () => versionOf(['redis-server', '--version'], /v=([\d.]+)/),
  settings: [
    `server: redis-server ${serverSettings.map((word) => word || "''").join(' ')}`,
    'client: ioredis with enableAutoPipelining, maxRetriesPerRequest null; add, addBulk; Worker with removeOnComplete',
  ],
  start,
  connect: async (address, options) => clientOf(address as Address, options),
};

interface Address {
  readonly port: number;
}

async function start({ dir, prefix }: StartOptions) {
  await makeFolder(dir);
  const port = await freePort();
  const server = await ServerProcess.start({
    words: ['redis-server', '--dir', dir, '--port', String(port), ...serverSettings],
    cwd: dir,
    prefix,
    isUp: () => answers(port),
  });
  return { address: { port }, process: server };
}

/** While it reads its file it accepts connections, and refuses every command. */
async function answers(port: number): Promise<boolean> {
  if (!(await listens(port))) return false;
  const { connect } = await import('node:net');
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1');
  socket.once('data', (text) => resolve(text.toString().startsWith('+PONG')));
  socket.once('error', () => resolve(false));
  socket.write('PING\r\n');
  const isReady = await promise;
  socket.destroy();
  return isReady;
}

/** The parts of the packages that are used here. */
interface BullQueue {
  add(name: string, data: object, options: object): Promise<unknown>;
  addBulk(jobs: readonly { name: string; data: object; opts: object }[]): Promise<unknown>;
  waitUntilReady(): Promise<unknown>;
  getWaitingCount(): Promise<number>;
}

interface Closable {
  waitUntilReady(): Promise<unknown>;
  close(force?: boolean): Promise<void>;
}

interface Redis {
  disconnect(): void;
}

type Work = (job: { readonly data: JobData }) => Promise<void>;

interface Packages {
  readonly Queue: new (name: string, options: object) => BullQueue;
  readonly Worker: new (name: string, work: Work, options: object) => Closable;
  readonly Redis: new (options: object) => Redis;
}

const opts = { removeOnComplete: true };

async function clientOf({ port }: Address, { load }: ConnectOptions): Promise<Client> {
  const { Queue, Worker } = load('bullmq') as Pick<Packages, 'Queue' | 'Worker'>;
  const { Redis } = load('ioredis') as Pick<Packages, 'Redis'>;
  const options = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
  const connection = new Redis({ ...options, enableAutoPipelining: true });
  const workers: Closable[] = [];
  const queues = new Map<string, BullQueue>();
  const queueOf = (name: string): BullQueue => {
    const queue = queues.get(name) ?? new Queue(name, { connection });
    queues.set(name, queue);
    return queue;
  };
  return {
    prepare: async (name) => void (await queueOf(name).waitUntilReady()),
    async enqueue(name, jobs) {
      const [data] = jobs;
      if (jobs.length === 1 && data !== undefined) await queueOf(name).add('bench', data, opts);
      else await queueOf(name).addBulk(jobs.map((one) => ({ name: 'bench', data: one, opts })));
    },
    async consume(name, atOnce, onJob) {
      const work: Work = async ({ data }) => onJob(data);
      const worker = new Worker(name, work, { connection: options, concurrency: atOnce });
      await worker.waitUntilReady();
      workers.push(worker);
    },
    waiting: (name) => queueOf(name).getWaitingCount(),
    async close() {
      await Promise.all(workers.map((worker) => worker.close(true)));
      connection.disconnect();
    },
  };
}
