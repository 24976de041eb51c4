/** RabbitMQ with a quorum queue and publisher confirms. */

import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listens } from '../measure/listens.ts';
import { accountOf } from '../server/account.ts';
import type { Client, ConnectOptions, JobData, Peer, StartOptions } from '../server/peer.ts';
import { freePort, makeFolder, ServerProcess } from '../server/server-process.ts';

/** The script of the package: the one on the PATH wants to be root, and writes into the system. */
const scripts = '/usr/lib/rabbitmq/bin';
const library = '/usr/lib/rabbitmq/lib';

export const peer: Peer = {
  name: 'rabbitmq',
  title: 'RabbitMQ quorum queue',
  isDurable: true,
  packages: { amqplib: '2.3.1' },
  debianPackage: 'rabbitmq-server',
  version,
  settings: [
    'server: as packaged, no plugins; queue durable, x-queue-type quorum, one node',
    'client: amqplib, one confirm channel a connection, deliveryMode 2; prefetch as many as at once, each acked by itself',
  ],
  start,
  connect: async (address, options) => clientOf(address as Address, options),
};

interface Address {
  readonly port: number;
}

/** By the name of its folder: its own command would leave a daemon behind. */
function version(): string | null {
  if (!existsSync(library)) return null;
  const names = readdirSync(library).map((name) => /^rabbitmq_server-([\d.]+)$/.exec(name)?.[1]);
  return names.find((name) => name !== undefined) ?? null;
}

async function start({ dir, prefix }: StartOptions) {
  const account = accountOf('rabbitmq');
  await makeFolder(dir, account);
  const [port, distributionPort, mapperPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  await writeFile(join(dir, 'rabbitmq.conf'), `listeners.tcp.1 = 127.0.0.1:${port}\n`);
  await writeFile(join(dir, 'enabled_plugins'), '[].\n');
  const env = {
    PATH: process.env['PATH'],
    HOME: dir,
    LANG: 'C.UTF-8',
    ERL_EPMD_PORT: String(mapperPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: 'bench@localhost',
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(dir, 'data'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_PID_FILE: join(dir, 'pid'),
  };
  // It would start one that outlives it.
  const mapper = await ServerProcess.start({
    words: ['epmd', '-port', String(mapperPort), '-address', '127.0.0.1'],
    cwd: dir,
    env,
    account,
    isUp: () => listens(mapperPort),
  });
  const server = await ServerProcess.start({
    words: ['sh', join(scripts, 'rabbitmq-server')],
    cwd: dir,
    env,
    account,
    prefix,
    isUp: () => listens(port),
    helper: mapper,
    leader: 'beam.smp',
  });
  return { address: { port }, process: server };
}

/** The parts of the package that are used here. */
interface Message {
  readonly content: Buffer;
}

interface Channel {
  assertQueue(name: string, options: object): Promise<unknown>;
  sendToQueue(
    name: string,
    content: Buffer,
    options: object,
    done: (error: Error | null) => void,
  ): boolean;
  prefetch(count: number): Promise<unknown>;
  consume(name: string, onMessage: (message: Message | null) => void): Promise<unknown>;
  ack(message: Message): void;
  checkQueue(name: string): Promise<{ messageCount: number }>;
}

interface Connection {
  createConfirmChannel(): Promise<Channel>;
  close(): Promise<void>;
}

interface Amqplib {
  connect(url: string, options: object): Promise<Connection>;
}

async function clientOf({ port }: Address, { load }: ConnectOptions): Promise<Client> {
  const amqplib = load('amqplib') as Amqplib;
  const connection = await amqplib.connect(`amqp://127.0.0.1:${port}`, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const arguments_ = { 'x-queue-type': 'quorum' };
  return {
    prepare: async (queue) =>
      void (await channel.assertQueue(queue, { durable: true, arguments: arguments_ })),
    enqueue(queue, jobs) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      let left = jobs.length;
      const onConfirm = (error: Error | null): void => {
        if (error !== null) reject(error);
        left -= 1;
        if (left === 0) resolve();
      };
      for (const data of jobs) {
        const content = Buffer.from(JSON.stringify(data));
        channel.sendToQueue(queue, content, { deliveryMode: 2 }, onConfirm);
      }
      return promise;
    },
    async consume(queue, atOnce, onJob) {
      await channel.prefetch(atOnce);
      await channel.consume(queue, (message) => {
        if (message === null) throw new Error('RabbitMQ cancelled the consumer');
        onJob(JSON.parse(message.content.toString()) as JobData);
        channel.ack(message);
      });
    },
    waiting: async (queue) => (await channel.checkQueue(queue)).messageCount,
    close: () => connection.close(),
  };
}
