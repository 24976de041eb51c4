/** aiq alone: how long another queue waits while a long one is purged. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type JobQueue, newJob, openQueue } from '../../core/job-queue/index.ts';
import { median } from '../measure/figures.ts';
import { bulkShape } from './enqueue.ts';
import type { Part, Work } from './part.ts';
import { jobBytes, type Scene, Stage } from './scene.ts';

/** One is purged at a time, in turns with quiet windows. */
const purges = 5;
const probeQueue = 'probe';
const pauseMs = 2;

const work: Work = (scene) =>
  Stage.with(scene.peer, async (stage) => {
    const names = await fill(stage, scene);
    const address = stage.server.address as { broker: string; tokenFile: string };
    const options = { ...address, clientName: 'bench', connectDeadlineMs: 60_000 };
    const [port, other] = [await openQueue(options), await openQueue(options)];
    const probe = await Probe.open(other);
    const sample = await alternate(probe, port, names);
    await port.close();
    await other.close();
    return sample;
  });

/** A tenth of the backlog in each queue. */
async function fill(stage: Stage, scene: Scene): Promise<string[]> {
  const names = Array.from({ length: purges }, (_, at) => `long-${at}`);
  const shape = await bulkShape(scene);
  const producer = await stage.client();
  const jobsMax = Math.ceil(scene.settings.backlogJobs / 10);
  for (const queue of names) {
    await producer.ask('produce', { queue, bytes: jobBytes, shape, jobsMax });
  }
  return names;
}

async function alternate(probe: Probe, port: JobQueue, names: readonly string[]) {
  const quiet: number[] = [];
  const busy: number[] = [];
  // The first jobs of a connection are slower.
  let windowMs = 1_000;
  await probe.median(sleep(windowMs));
  for (const name of names) {
    const startMs = performance.now();
    busy.push(await probe.median(port.purge(name)));
    windowMs = Math.max(windowMs, performance.now() - startMs);
    quiet.push(await probe.median(sleep(windowMs)));
  }
  return {
    quietMs: median(quiet),
    busyMs: median(busy),
    ratio: median(busy.map((ms, at) => ms / (quiet[at] ?? Number.NaN))),
  };
}

/** One job after the other on a queue of its own. */
class Probe {
  readonly #queue: JobQueue;
  #onDelivery: () => void = () => undefined;
  #count = 0;

  private constructor(queue: JobQueue) {
    this.#queue = queue;
  }

  static async open(queue: JobQueue): Promise<Probe> {
    const probe = new Probe(queue);
    const consumer = await queue.consume({
      queues: [probeQueue],
      credit: 1,
      onDelivery: (leased) => {
        probe.#onDelivery();
        void consumer.settle(leased, { outcome: 'ack' });
      },
      onLeaseLost: () => undefined,
    });
    return probe;
  }

  /** The middle of the milliseconds from enqueue to delivery until something is over. */
  async median(something: Promise<unknown>): Promise<number> {
    const end = new AbortController();
    const over = something.finally(() => end.abort());
    const samples: number[] = [];
    do samples.push(await this.#sample());
    while (!end.signal.aborted);
    await over;
    return median(samples);
  }

  async #sample(): Promise<number> {
    await sleep(pauseMs);
    const input = { number: this.#count++, text: 'x'.repeat(jobBytes) };
    const job = newJob({ agent: 'bench', agentDigest: '', queue: probeQueue, input });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onDelivery = resolve;
    const startMs = performance.now();
    await Promise.all([this.#queue.enqueue([job]), promise]);
    return performance.now() - startMs;
  }
}

export const purgePart: Part = {
  name: 'purge',
  title: 'Another queue while long ones are purged, enqueue to delivery',
  work,
  figures: [
    { key: 'quietMs', title: 'p50 in quiet windows, ms', digits: 2, better: 'less' },
    {
      key: 'busyMs',
      title: 'p50 while a tenth of the backlog is purged, ms',
      digits: 2,
      better: 'less',
    },
    { key: 'ratio', title: 'as a multiple, pair by pair', digits: 2, better: 'less' },
  ],
  repeats: 'once',
  isOwn: true,
  isTarget: false,
};
