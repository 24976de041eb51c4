/** Parts in which jobs are only enqueued: one by one, in bulk, of many sizes. */

import type { Shape } from '../client/orders.ts';
import type { Figure, Part, Sample, Work } from './part.ts';
import { jobBytes, oneByOne, perSecond, type Scene, Stage } from './scene.ts';

/** Each peer gets the one in which it was faster. */
const bulkShapes: readonly Shape[] = [
  { batch: 64, calls: 4 },
  { batch: 250, calls: 4 },
  { batch: 1_000, calls: 2 },
];
const manyConnections = 16;
const callBytesMax = 1024 * 1024;
const payloadBytes = [102, 1_024, 4_096, 16_384, 65_536, 262_144] as const;

export const rateFigure: Figure = {
  key: 'perSecond',
  title: 'jobs a second',
  digits: 0,
  better: 'more',
};
export const cpuFigures: readonly Figure[] = [
  {
    key: 'serverMicros',
    title: 'processor time of the server, µs a job',
    digits: 1,
    better: 'less',
  },
  {
    key: 'clientMicros',
    title: 'processor time of the clients, µs a job',
    digits: 1,
    better: 'less',
  },
];

interface Load {
  readonly shape: Shape;
  readonly connections: number;
  readonly bytes: number;
}

const oneByOneWork: Work = (scene) =>
  enqueueWindow(scene, { shape: oneByOne, connections: 1, bytes: jobBytes });

const bulkWork =
  (connections: number): Work =>
  async (scene) =>
    enqueueWindow(scene, {
      shape: await bulkShape(scene, connections),
      connections,
      bytes: jobBytes,
    });

/** Jobs that were acknowledged within a window, on an empty queue. */
async function enqueueWindow(scene: Scene, load: Load): Promise<Sample> {
  return Stage.with(scene.peer, async (stage) => measureEnqueue(stage, scene, load));
}

/** The same on a stage that is there. */
export async function measureEnqueue(stage: Stage, scene: Scene, load: Load): Promise<Sample> {
  const { warmUpMs, windowMs } = scene.settings;
  const { shape, connections, bytes } = load;
  const client = await stage.client(connections);
  const producing = client.ask('produce', { queue: stage.queue, bytes, shape });
  await stage.window([client], warmUpMs);
  const { watched, serverMicros } = await stage.window([client], windowMs);
  await client.ask('stop', null);
  await stage.checkWaiting(client, await producing);
  const [own = { jobs: 0, ms: 1, cpuMicros: 0 }] = watched;
  return {
    perSecond: perSecond(own),
    serverMicros: serverMicros / own.jobs,
    clientMicros: own.cpuMicros / own.jobs,
  };
}

/** The faster way for this peer to hand over many jobs, found out once. */
export async function bulkShape(scene: Scene, connections = 1): Promise<Shape> {
  const key = `bulk shape on ${connections}`;
  const known = scene.memory.get(key);
  if (typeof known === 'object') return known;
  const { warmUpMs } = scene.settings;
  const rates: { shape: Shape; rate: number }[] = [];
  await Stage.with(scene.peer, async (stage) => {
    const client = await stage.client(connections);
    for (const { batch, calls } of bulkShapes) {
      const shape = { batch, calls: Math.max(calls, connections) };
      const producing = client.ask('produce', { queue: stage.queue, bytes: jobBytes, shape });
      await stage.window([client], warmUpMs);
      const { watched } = await stage.window([client], 2 * warmUpMs);
      await client.ask('stop', null);
      await producing;
      rates.push({ shape, rate: watched[0]?.jobs ?? 0 });
    }
  });
  const [best] = rates.toSorted((a, b) => b.rate - a.rate);
  const shape = best?.shape ?? oneByOne;
  scene.memory.set(key, shape);
  return shape;
}

/** As many jobs of this size in a call as make no call too large. */
export function shapeFor({ batch, calls }: Shape, bytes: number): Shape {
  return { batch: Math.max(1, Math.min(batch, Math.floor(callBytesMax / bytes))), calls };
}

const payloadWork: Work = async (scene) => {
  const bulk = await bulkShape(scene);
  const sample: Record<string, number> = {};
  for (const bytes of payloadBytes) {
    const load = { shape: shapeFor(bulk, bytes), connections: 1, bytes };
    const { perSecond: rate = 0 } = await enqueueWindow(scene, load);
    sample[`mebibytes${bytes}`] = (rate * bytes) / 1024 / 1024;
  }
  return sample;
};

const rates = [rateFigure, ...cpuFigures];

export const enqueueParts: readonly Part[] = [
  {
    name: 'one-by-one',
    title: 'Enqueue, one call a job, 64 in flight, one connection',
    work: oneByOneWork,
    figures: rates,
    repeats: 'all',
    isTarget: true,
  },
  {
    name: 'bulk',
    title: 'Enqueue in bulk, one connection',
    work: bulkWork(1),
    figures: rates,
    repeats: 'all',
    isTarget: true,
  },
  {
    name: 'bulk-16',
    title: `Enqueue in bulk, ${manyConnections} connections`,
    work: bulkWork(manyConnections),
    figures: rates,
    repeats: 'all',
    isTarget: true,
  },
  {
    name: 'payload',
    title: 'Enqueue in bulk, one connection, by the size of a job',
    work: payloadWork,
    figures: payloadBytes.map((bytes) => ({
      key: `mebibytes${bytes}`,
      title: `jobs of ${(bytes / 1024).toFixed(bytes < 1024 ? 1 : 0)} KiB, MiB a second`,
      digits: 1,
      better: 'more' as const,
    })),
    repeats: 'once',
    isTarget: false,
  },
];
