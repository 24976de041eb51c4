/** aiq: the broker as `aiq broker start` runs it, and the queue that command line and runtime use. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brokerEnvironment, brokerNodeFlags } from '../../core/host/index.ts';
import { type Job, newJob, openQueue, readJobBody } from '../../core/job-queue/index.ts';
import { listens } from '../measure/listens.ts';
import type { Client, JobData, Peer, StartOptions } from '../server/peer.ts';
import { freePort, ServerProcess } from '../server/server-process.ts';

interface Address {
  readonly broker: string;
  readonly tokenFile: string;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const requestMs = 120_000;

export const peer: Peer = {
  name: 'aiq',
  title: 'aiq',
  isDurable: true,
  packages: {},
  debianPackage: null,
  version: () =>
    (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version,
  settings: [
    `server: node ${brokerNodeFlags.join(' ')} bin/aiq.js broker start --listen tcp://127.0.0.1, every feature on`,
    'client: JobQueue of core/job-queue, random ids, as the others have them (those of the content take some 4 µs more)',
  ],
  start,
  connect: async (address) => clientOf(address as Address),
};

async function start({ dir, prefix }: StartOptions) {
  const port = await freePort();
  const broker = `tcp://127.0.0.1:${port}`;
  const main = [join(root, 'bin/aiq.js'), 'broker', 'start'];
  const process_ = await ServerProcess.start({
    words: [process.execPath, ...brokerNodeFlags, ...main, '--dir', dir, '--listen', broker],
    cwd: root,
    env: brokerEnvironment(),
    prefix,
    isUp: () => listens(port),
  });
  const address: Address = { broker, tokenFile: join(dir, 'token') };
  return { address, process: process_ };
}

async function clientOf(address: Address): Promise<Client> {
  const port = await openQueue({
    ...address,
    clientName: 'bench',
    connectDeadlineMs: requestMs,
  });
  return {
    prepare: () => Promise.resolve(),
    async enqueue(queue, jobs) {
      const answers = await port.enqueue(jobs.map((data) => jobOf(queue, data)));
      const wrong = answers.find(({ outcome }) => outcome !== 'created');
      if (wrong !== undefined) throw new Error(`aiq: ${JSON.stringify(wrong)}`);
    },
    async consume(queue, atOnce, onJob) {
      const consumer = await port.consume({
        queues: [queue],
        credit: atOnce,
        onDelivery: (leased) => {
          onJob(readJobBody(leased.job).input as JobData);
          void consumer.settle(leased, { outcome: 'ack' });
        },
        onLeaseLost: ({ job }, code) => {
          throw new Error(`aiq: lost the lease of ${job.id}: ${code}`);
        },
      });
    },
    async waiting(queue) {
      const [counts] = (await port.stats([queue])).queues;
      return counts?.ready ?? 0;
    },
    close: () => port.close(),
  };
}

const agent = { agent: 'bench', agentDigest: 'ab'.repeat(32) };

function jobOf(queue: string, input: JobData): Job {
  return newJob({ ...agent, queue, input, identity: { random: true } });
}
