/** A backlog that grows: throughput at three lengths of it, memory and disk for each job, restarts. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Shape } from '../client/orders.ts';
import { bytesBelow } from '../measure/disk.ts';
import { median } from '../measure/figures.ts';
import { bothSides } from './consume.ts';
import { bulkShape, rateFigure } from './enqueue.ts';
import type { Figure, Part, Work } from './part.ts';
import { jobBytes, perSecond, type Scene, Stage } from './scene.ts';

const windows = 3;
const restSamples = 12;
const restWindows = 2;
const deliveryMs = 300_000;
/** Shares of the longest backlog. */
const levels = [0.01, 0.1, 0.5, 1] as const;

const work: Work = async (scene) => {
  const shape = await bulkShape(scene);
  return Stage.with(scene.peer, async (stage) => {
    const sample: Record<string, number> = {};
    const emptyBytes = await restingBytes(stage, scene);
    const emptyDiskBytes = await bytesBelow(stage.dir);
    for (const level of levels) {
      const jobs = Math.ceil(scene.settings.backlogJobs * level);
      await fillUp(stage, shape, jobs);
      sample[`memory${level}`] = ((await restingBytes(stage, scene)) - emptyBytes) / jobs;
      sample[`disk${level}`] = ((await bytesBelow(stage.dir)) - emptyDiskBytes) / jobs;
      sample[`perSecond${level}`] = await throughput(stage, shape, scene);
    }
    await fillUp(stage, shape, scene.settings.backlogJobs);
    sample['growth'] = (sample['perSecond1'] ?? 0) / (sample['perSecond0.01'] ?? 0);
    sample['cleanMs'] = await restart(stage, 'stop');
    sample['killMs'] = await restart(stage, 'kill');
    return sample;
  });
};

/** Adds what is missing to so many waiting jobs. */
async function fillUp(stage: Stage, shape: Shape, jobs: number): Promise<void> {
  const producer = await stage.client();
  const { queue } = stage;
  const jobsMax = jobs - (await producer.ask('waiting', { queue }));
  await producer.ask('produce', { queue, bytes: jobBytes, shape, jobsMax });
  await stage.closeClients();
}

/** Both at once, in bulk, so that whoever enqueues keeps up and the backlog stays about as long as it is. */
async function throughput(stage: Stage, shape: Shape, { settings }: Scene): Promise<number> {
  const { producer, consumer } = await bothSides(stage, 1);
  const aheadMax = 2 * shape.batch * shape.calls;
  const order = { queue: stage.queue, bytes: jobBytes, shape, aheadMax };
  const producing = producer.ask('produce', order);
  await stage.window([consumer], 2 * settings.warmUpMs);
  const rates: number[] = [];
  for (let count = 0; count < windows; count++) {
    const { watched } = await stage.window([consumer], settings.windowMs);
    rates.push(perSecond(watched[0] ?? { jobs: 0, ms: 1 }));
  }
  await producer.ask('stop', null);
  await producing;
  await stage.closeClients();
  return median(rates);
}

/** The least over two windows of rest: what was freed goes back to the system some time later. */
async function restingBytes(stage: Stage, { settings }: Scene): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let count = 0; count < restSamples; count++) {
    await sleep((restWindows * settings.windowMs) / restSamples);
    least = Math.min(least, stage.server.process.memoryBytes());
  }
  return least;
}

/** From the start of the server to the first delivery, milliseconds. */
async function restart(stage: Stage, how: 'stop' | 'kill'): Promise<number> {
  await stage.end(how);
  const spare = await stage.spareClient();
  const startMs = performance.now();
  await stage.startAgain();
  await spare.ask('open', stage.opening(1));
  await spare.ask('consume', { queue: stage.queue, atOnce: 1 });
  while ((await spare.ask('done', null)) === 0) {
    if (performance.now() - startMs > deliveryMs) throw new Error('nothing is delivered');
    await sleep(2);
  }
  const ms = performance.now() - startMs;
  await stage.closeClients();
  return ms;
}

const percent = (level: number): string => `${level * 100} % of the backlog`;

const growthFigures: readonly Figure[] = levels.map((level) => ({
  ...rateFigure,
  key: `perSecond${level}`,
  title: `${percent(level)}, jobs a second`,
}));

export const backlogParts: readonly Part[] = [
  {
    name: 'growth',
    title: 'Enqueue in bulk and consume at once beside a growing backlog',
    work,
    figures: [
      ...growthFigures,
      {
        key: 'growth',
        title: 'rate at the whole backlog, of that at 1 %',
        digits: 2,
        better: 'more',
      },
    ],
    repeats: 'once',
    isTarget: true,
  },
  {
    name: 'memory',
    title: 'Memory and disk for a queued job',
    work,
    figures: levels.slice(1).flatMap((level) => [
      {
        key: `memory${level}`,
        title: `${percent(level)}, bytes of memory a job`,
        digits: 0,
        better: 'less' as const,
      },
      {
        key: `disk${level}`,
        title: `${percent(level)}, bytes on the disk a job`,
        digits: 0,
        better: 'less' as const,
      },
    ]),
    repeats: 'once',
    isTarget: true,
  },
  {
    name: 'restart',
    title: 'Restart with the whole backlog, to the first delivery',
    work,
    figures: [
      { key: 'cleanMs', title: 'after a clean stop, ms', digits: 0, better: 'less' },
      { key: 'killMs', title: 'after SIGKILL, ms', digits: 0, better: 'less' },
    ],
    repeats: 'once',
    isTarget: true,
  },
];
