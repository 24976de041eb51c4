/** beanstalkd that syncs its log at every write. */

import { listens } from '../measure/listens.ts';
import { BeanstalkSocket } from '../server/beanstalk-socket.ts';
import { versionOf } from '../server/find-peers.ts';
import type { Client, JobData, Peer, StartOptions } from '../server/peer.ts';
import { freePort, makeFolder, ServerProcess } from '../server/server-process.ts';

const jobBytesMax = 1024 * 1024;
const ttrSeconds = 3_600;

export const peer: Peer = {
  name: 'beanstalkd',
  title: 'beanstalkd -f0',
  isDurable: true,
  packages: {},
  debianPackage: 'beanstalkd',
  version: () => versionOf(['beanstalkd', '-v'], /([\d.]+)/),
  settings: [
    `server: beanstalkd -b (a folder) -f 0 -z ${jobBytesMax}`,
    'client: of this bench, commands pipelined on one socket; consumers a socket for each job at once, for a reserve that waits blocks its socket',
  ],
  start,
  connect: async (address) => clientOf(address as Address),
};

interface Address {
  readonly port: number;
}

async function start({ dir, prefix }: StartOptions) {
  await makeFolder(dir);
  const port = await freePort();
  const flags = ['-l', '127.0.0.1', '-p', String(port), '-f', '0', '-z', String(jobBytesMax)];
  const server = await ServerProcess.start({
    words: ['beanstalkd', '-b', dir, ...flags],
    cwd: dir,
    prefix,
    isUp: () => listens(port),
  });
  return { address: { port }, process: server };
}

async function clientOf({ port }: Address): Promise<Client> {
  const producer = await BeanstalkSocket.open(port);
  const consumers: BeanstalkSocket[] = [];
  return {
    prepare: async (queue) => void (await producer.ask(`use ${queue}`, 'USING')),
    async enqueue(_queue, jobs) {
      const texts = jobs.map((data) => JSON.stringify(data));
      const put = (text: string): string =>
        `put 0 0 ${ttrSeconds} ${Buffer.byteLength(text)}\r\n${text}`;
      await Promise.all(texts.map((text) => producer.ask(put(text), 'INSERTED')));
    },
    async consume(queue, atOnce, onJob) {
      for (let count = 0; count < atOnce; count++) {
        const socket = await BeanstalkSocket.open(port);
        await socket.ask(`watch ${queue}`, 'WATCHING');
        consumers.push(socket);
        void take(socket, onJob);
      }
    },
    async waiting(queue) {
      const { body } = await producer.ask(`stats-tube ${queue}`, 'OK');
      return Number(/current-jobs-ready: (\d+)/.exec(body)?.[1]);
    },
    close() {
      for (const socket of [producer, ...consumers]) socket.close();
      return Promise.resolve();
    },
  };
}

/** One job after the other, as long as the socket is open. */
async function take(socket: BeanstalkSocket, onJob: (job: JobData) => void): Promise<void> {
  for (;;) {
    const { words, body } = await socket.ask('reserve', 'RESERVED');
    onJob(JSON.parse(body) as JobData);
    await socket.ask(`delete ${words[1]}`, 'DELETED');
  }
}
