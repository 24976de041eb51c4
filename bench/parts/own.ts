/** Parts about aiq alone, mostly counted: bytes of its log, system calls, its share of the disk's bandwidth. */

import {
  type Consumer,
  type Job,
  type JobQueue,
  type LeasedJob,
  newJob,
  openQueue,
} from '../../core/job-queue/index.ts';
import { durableBytesPerSecond } from '../measure/disk.ts';
import { countCalls } from '../measure/strace.ts';
import { bulkShape, measureEnqueue, shapeFor } from './enqueue.ts';
import type { Part, Work } from './part.ts';
import { purgePart } from './purge.ts';
import { type Scene, Stage } from './scene.ts';
import { searchPart } from './search.ts';

/** A job of 64 KiB with what aiq puts around it: more would travel as a blob. */
const largeBytes = 64 * 1024 - 64;
const smallBytes = 200;
/** Fewer than fill a segment, so that nothing is compacted meanwhile. */
const countedJobs = 20_000;
const batchJobs = 1_000;
const queueName = 'bench';
const callJobs = 50_000;
const manyAtOnce = 1_000;

/** Of jobs that have nothing but a body of so many bytes, and of such as `aiq enqueue` makes. */
const logWork: Work = async (scene) => ({
  bareBytes: await logBytes(scene, bareJob),
  wholeBytes: await logBytes(scene, wholeJob),
});

function logBytes(scene: Scene, jobOf: (number: number) => Job): Promise<number> {
  return Stage.with(scene.peer, async (stage) => {
    const address = stage.server.address as { broker: string; tokenFile: string };
    const queue = await openQueue({ ...address, clientName: 'bench', connectDeadlineMs: 60_000 });
    const { logBytes: before } = await queue.engineStats();
    for (let made = 0; made < countedJobs; made += batchJobs) {
      await queue.enqueue(Array.from({ length: batchJobs }, (_, index) => jobOf(made + index)));
    }
    await acknowledge(queue, countedJobs);
    const { logBytes: after } = await queue.engineStats();
    await queue.close();
    return (after - before) / countedJobs;
  });
}

function bareJob(number: number): Job {
  const empty = newJob({ agent: 'bench', agentDigest: '', queue: queueName, input: number });
  const body = new Uint8Array(smallBytes).fill(0x20);
  return { ...empty, agent: '', agentDigest: new Uint8Array(), createdAtMs: 0, body };
}

const wholeAgent = { agent: 'bench', agentDigest: 'ab'.repeat(32) };

function wholeJob(number: number): Job {
  const text = String(number).padEnd(smallBytes - JSON.stringify({ input: { text: '' } }).length);
  return newJob({ ...wholeAgent, queue: queueName, input: { text } });
}

async function acknowledge(port: JobQueue, count: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let left = count;
  const settle = async (consumer: Consumer, leased: LeasedJob): Promise<void> => {
    await consumer.settle(leased, { outcome: 'ack' });
    left -= 1;
    if (left === 0) resolve();
  };
  const consumer = await port.consume({
    queues: [queueName],
    credit: manyAtOnce,
    onDelivery: (leased) => void settle(consumer, leased).catch(reject),
    onLeaseLost: ({ job }) => reject(new Error(`lost the lease of ${job.id}`)),
  });
  await promise;
  await consumer.close();
}

const callsWork: Work = (scene) =>
  Stage.with(scene.peer, async (stage) => {
    const work = (): Promise<void> => enqueueAndConsume(stage, scene, callJobs);
    return { calls: (await countCalls(stage.server.process.pid, work)) / callJobs };
  });

/** In bulk, one after the other; until the last one is acknowledged. */
async function enqueueAndConsume(stage: Stage, scene: Scene, jobsMax: number): Promise<void> {
  const shape = { batch: batchJobs, calls: 4 };
  const producer = await stage.client();
  await producer.ask('produce', { queue: stage.queue, bytes: smallBytes, shape, jobsMax });
  const consumer = await stage.client();
  await consumer.ask('consume', { queue: stage.queue, atOnce: manyAtOnce });
  while ((await consumer.ask('done', null)) < jobsMax) {
    await stage.window([], scene.settings.warmUpMs / 10);
  }
  await stage.closeClients();
}

const bandwidthWork: Work = async (scene) => {
  const bulk = await bulkShape(scene);
  const share = (bytes: number): Promise<number> =>
    Stage.with(scene.peer, async (stage) => {
      const disk = await durableBytesPerSecond(stage.dir);
      const load = { shape: shapeFor(bulk, bytes), connections: 1, bytes };
      const { perSecond = 0 } = await measureEnqueue(stage, scene, load);
      return (100 * perSecond * bytes) / disk;
    });
  return { small: await share(1_024), large: await share(largeBytes) };
};

export const ownParts: readonly Part[] = [
  {
    name: 'log-bytes',
    title: `Log of a job of ${smallBytes} bytes, enqueued and acknowledged`,
    work: logWork,
    figures: [
      {
        key: 'bareBytes',
        title: 'with nothing but a body, bytes a job',
        digits: 0,
        better: 'less',
      },
      {
        key: 'wholeBytes',
        title: 'as `aiq enqueue` makes it, bytes a job',
        digits: 0,
        better: 'less',
      },
    ],
    repeats: 'once',
    isOwn: true,
    isTarget: true,
  },
  {
    name: 'syscalls',
    title: 'System calls of the server, enqueue and consume in bulk',
    work: callsWork,
    figures: [{ key: 'calls', title: 'calls a job', digits: 2, better: 'less' }],
    repeats: 'once',
    isOwn: true,
    isTarget: true,
  },
  {
    name: 'disk-share',
    title: "Enqueue in bulk as a share of the disk's durable append bandwidth",
    work: bandwidthWork,
    figures: [
      { key: 'small', title: 'jobs of 1 KiB, %', digits: 1, better: 'more' },
      { key: 'large', title: 'jobs of 64 KiB, %', digits: 1, better: 'more' },
    ],
    repeats: 'all',
    isOwn: true,
    isTarget: true,
  },
  searchPart,
  purgePart,
];
