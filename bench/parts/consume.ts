/** Parts in which jobs are consumed: a backlog alone, both sides at once, at a rate, over many connections. */

import type { Shape } from '../client/orders.ts';
import { quantile } from '../measure/figures.ts';
import { bulkShape, cpuFigures, rateFigure } from './enqueue.ts';
import type { Figure, Part, Sample, Work } from './part.ts';
import { jobBytes, oneByOne, perSecond, type Scene, Stage, type Window } from './scene.ts';

const atOnce = 64;
const aheadMax = 5_000;
const jobsPerSecond = 200;
/** More than a window of throughput has: the p99 needs samples. */
const latencyWindows = 3;
const backlogKey = 'jobs to consume';
/** For each millisecond of a window, before a rate is known. */
const backlogPerMs = 14;
const connectionCounts = [1, 16, 128, 1_000] as const;
const doneMs = 120_000;

/** Acknowledged no-op jobs of a backlog; one that does not last for the window voids it. */
const consumeWork: Work = async (scene) => {
  const { warmUpMs, windowMs } = scene.settings;
  const backlogMin = Math.ceil(backlogPerMs * windowMs);
  const known = scene.memory.get(backlogKey);
  const jobs = typeof known === 'number' ? known : backlogMin;
  const shape = await bulkShape(scene);
  const found = await Stage.with(scene.peer, async (stage) => {
    const producer = await stage.client();
    await producer.ask('produce', { queue: stage.queue, bytes: jobBytes, shape, jobsMax: jobs });
    await stage.checkWaiting(producer, jobs);
    const consumer = await stage.client();
    await consumer.ask('consume', { queue: stage.queue, atOnce });
    await stage.window([consumer], warmUpMs);
    const window = await stage.window([consumer], windowMs);
    return { window, left: jobs - (await consumer.ask('done', null)) };
  });
  const sample = sampleOf(found.window);
  const lasts = Math.ceil(((sample['perSecond'] ?? 0) * (warmUpMs + windowMs) * 1.5) / 1_000);
  scene.memory.set(backlogKey, found.left > 0 ? Math.max(backlogMin, lasts) : 3 * jobs);
  return found.left > 0 ? sample : consumeWork(scene);
};

/** Jobs that were taken and acknowledged while others come in; no more than some lie ahead. */
const bothWork =
  (shapeOf: (scene: Scene) => Promise<Shape>): Work =>
  async (scene) => {
    const { warmUpMs, windowMs } = scene.settings;
    const shape = await shapeOf(scene);
    return Stage.with(scene.peer, async (stage) => {
      const { producer, consumer } = await bothSides(stage, 1);
      const order = { queue: stage.queue, bytes: jobBytes, shape, aheadMax };
      const producing = producer.ask('produce', order);
      await stage.window([consumer], warmUpMs);
      const window = await stage.window([consumer, producer], windowMs);
      await producer.ask('stop', null);
      await untilDone(consumer, await producing);
      return sampleOf(window);
    });
  };

const latencyWork: Work = async (scene) => {
  const sample = await Stage.with(scene.peer, (stage) => latency(stage, scene, 1));
  return { p50Ms: sample.p50Ms, p99Ms: sample.p99Ms };
};

/** From the call that enqueues a job to its delivery, at 200 jobs a second over so many connections. */
async function latency(stage: Stage, scene: Scene, connections: number) {
  const { warmUpMs, windowMs } = scene.settings;
  const { producer, consumer } = await bothSides(stage, connections);
  const order = { queue: stage.queue, bytes: jobBytes, shape: oneByOne };
  const producing = producer.ask('produce', { ...order, perSecond: jobsPerSecond });
  await stage.window([consumer], 2 * warmUpMs);
  const { watched } = await stage.window([consumer], latencyWindows * windowMs);
  await producer.ask('stop', null);
  await untilDone(consumer, await producing);
  const latenciesMs = watched[0]?.latenciesMs ?? [];
  return { producer, p50Ms: quantile(latenciesMs, 0.5), p99Ms: quantile(latenciesMs, 0.99) };
}

const connectionsWork: Work = async (scene) => {
  const sample: Record<string, number> = {};
  for (const connections of connectionCounts) {
    await Stage.with(scene.peer, async (stage) => {
      const { producer, p50Ms } = await latency(stage, scene, connections);
      sample[`p50Ms${connections}`] = p50Ms;
      const order = { queue: stage.queue, bytes: jobBytes, shape: oneByOne };
      const producing = producer.ask('produce', order);
      await stage.window([producer], scene.settings.warmUpMs);
      const { watched } = await stage.window([producer], scene.settings.windowMs);
      await producer.ask('stop', null);
      await producing;
      sample[`perSecond${connections}`] = perSecond(watched[0] ?? { jobs: 0, ms: 1 });
    });
  }
  return sample;
};

/** A producer, and a consumer that reports to it how far it is. */
export async function bothSides(stage: Stage, connections: number) {
  const producer = await stage.client(connections);
  const consumer = await stage.client();
  await consumer.ask('consume', { queue: stage.queue, atOnce });
  consumer.onTaken((count) => void producer.ask('taken', count));
  return { producer, consumer };
}

/** @throws Error when jobs that were acknowledged do not come */
async function untilDone(consumer: Awaited<ReturnType<Stage['client']>>, jobs: number) {
  const endMs = performance.now() + doneMs;
  let done = 0;
  while (done < jobs) {
    done = await consumer.ask('done', null);
    if (performance.now() > endMs) throw new Error(`${done} of ${jobs} jobs were delivered`);
  }
}

/** Of the consumer, and of the producer when it was watched as well. */
function sampleOf({ watched, serverMicros }: Window): Sample {
  const [consumer = { jobs: 0, ms: 1 }] = watched;
  const clientMicros = watched.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0);
  return {
    perSecond: perSecond(consumer),
    serverMicros: serverMicros / consumer.jobs,
    clientMicros: clientMicros / consumer.jobs,
  };
}

const bothOneByOne = bothWork(() => Promise.resolve(oneByOne));
const bothInBulk = bothWork((scene) => bulkShape(scene));
const rates: readonly Figure[] = [rateFigure, ...cpuFigures];
const milliseconds = (key: string, title: string): Figure => ({
  key,
  title: `${title}, ms`,
  digits: 2,
  better: 'less',
});

export const consumeParts: readonly Part[] = [
  {
    name: 'consume',
    title: `Consume no-op jobs, ${atOnce} at once`,
    work: consumeWork,
    figures: rates,
    repeats: 'all',
    isTarget: true,
  },
  {
    name: 'both',
    title: `Enqueue one by one and consume at once, ${atOnce} in flight on each side`,
    work: bothOneByOne,
    figures: [rateFigure],
    repeats: 'all',
    isTarget: true,
  },
  {
    name: 'processor-time',
    title: 'Processor time a job, both at once',
    work: bothOneByOne,
    figures: cpuFigures,
    repeats: 'all',
    isTarget: true,
  },
  {
    name: 'both-bulk',
    title: `Enqueue in bulk and consume at once, ${atOnce} at once`,
    work: bothInBulk,
    figures: rates,
    repeats: 'all',
    isTarget: false,
  },
  {
    name: 'latency',
    title: `From enqueue to delivery at ${jobsPerSecond} jobs a second`,
    work: latencyWork,
    figures: [milliseconds('p50Ms', 'p50'), milliseconds('p99Ms', 'p99')],
    repeats: 'all',
    isTarget: true,
  },
  {
    name: 'connections',
    title: 'Enqueue one by one over many connections',
    work: connectionsWork,
    figures: connectionCounts.flatMap((count) => [
      milliseconds(`p50Ms${count}`, `${count} connections, p50 at ${jobsPerSecond} jobs a second`),
      { ...rateFigure, key: `perSecond${count}`, title: `${count} connections, jobs a second` },
    ]),
    repeats: 'aiq',
    isTarget: true,
  },
];
