/** NATS JetStream with a file store; before 2.10 it cannot sync before it answers. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listens } from '../measure/listens.ts';
import { versionOf } from '../server/find-peers.ts';
import type { Client, ConnectOptions, JobData, Peer, StartOptions } from '../server/peer.ts';
import { freePort, makeFolder, ServerProcess } from '../server/server-process.ts';

const version = versionOf(['nats-server', '-v'], /v([\d.]+)/);
const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
const canSync = major > 2 || (major === 2 && minor >= 10);
const storeBytesMax = 64 * 1024 ** 3;

export const peer: Peer = {
  name: 'jetstream',
  title: 'NATS JetStream',
  isDurable: canSync,
  packages: { '@nats-io/transport-node': '3.4.0', '@nats-io/jetstream': '3.4.0' },
  debianPackage: 'nats-server',
  version: () => version,
  settings: [
    canSync
      ? 'server: file store, sync_interval always'
      : 'server: file store, no sync before an answer (sync_interval always comes with 2.10)',
    'client: work queue, one replica; publish with acknowledgement; pull consumer, max_ack_pending as many as at once',
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
  const sync = canSync ? ', sync_interval: always' : '';
  const config = `listen: "127.0.0.1:${port}"
jetstream { store_dir: "${join(dir, 'store')}", max_file_store: ${storeBytesMax}${sync} }
`;
  await writeFile(join(dir, 'nats.conf'), config);
  const server = await ServerProcess.start({
    words: ['nats-server', '-c', join(dir, 'nats.conf')],
    cwd: dir,
    prefix,
    isUp: () => listens(port),
    stopSignal: 'SIGINT',
  });
  return { address: { port }, process: server };
}

/** The parts of the packages that are used here. */
interface Message {
  string(): string;
  ack(): void;
}

interface JetStream {
  publish(subject: string, payload: string): Promise<unknown>;
  readonly consumers: {
    get(
      stream: string,
      consumer: string,
    ): Promise<{
      consume(options: object): Promise<AsyncIterable<Message> & { stop(): void }>;
    }>;
  };
}

interface Manager {
  readonly streams: {
    add(config: object): Promise<unknown>;
    info(name: string): Promise<{ state: { messages: number } }>;
  };
  readonly consumers: {
    add(stream: string, config: object): Promise<unknown>;
    delete(stream: string, consumer: string): Promise<boolean>;
  };
}

interface Connection {
  close(): Promise<void>;
}

interface Packages {
  connect(options: { servers: string; timeout: number }): Promise<Connection>;
  jetstream(connection: Connection, options: object): JetStream;
  jetstreamManager(connection: Connection, options: object): Promise<Manager>;
}

const timeout = 60_000;
const durable_name = 'bench';

async function clientOf({ port }: Address, { load }: ConnectOptions): Promise<Client> {
  const { connect } = load('@nats-io/transport-node') as Pick<Packages, 'connect'>;
  const { jetstream, jetstreamManager } = load('@nats-io/jetstream') as Omit<Packages, 'connect'>;
  const connection = await connect({ servers: `127.0.0.1:${port}`, timeout });
  const manager = await jetstreamManager(connection, { timeout });
  const stream = jetstream(connection, { timeout });
  const closings: (() => Promise<void>)[] = [];
  return {
    async prepare(queue) {
      const kept = { retention: 'workqueue', storage: 'file', num_replicas: 1 };
      await manager.streams.add({ name: queue, subjects: [queue], ...kept });
    },
    async enqueue(queue, jobs) {
      await Promise.all(jobs.map((data) => stream.publish(queue, JSON.stringify(data))));
    },
    async consume(queue, atOnce, onJob) {
      await manager.consumers.add(queue, {
        durable_name,
        ack_policy: 'explicit',
        max_ack_pending: atOnce,
      });
      const consumer = await stream.consumers.get(queue, durable_name);
      const messages = await consumer.consume({ max_messages: 1_000 });
      void take(messages, onJob);
      // What it holds would come back half a minute later.
      closings.push(async () => {
        messages.stop();
        await manager.consumers.delete(queue, durable_name);
      });
    },
    waiting: async (queue) => (await manager.streams.info(queue)).state.messages,
    async close() {
      await Promise.all(closings.map((closing) => closing()));
      await connection.close();
    },
  };
}

async function take(
  messages: AsyncIterable<Message>,
  onJob: (job: JobData) => void,
): Promise<void> {
  for await (const message of messages) {
    onJob(JSON.parse(message.string()) as JobData);
    message.ack();
  }
}
