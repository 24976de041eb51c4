/** aiq alone: how long a search takes with the whole backlog finished, and how long the history took to follow. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type JobQueue, newJob, openQueue, type SearchFilter } from '../../core/job-queue/index.ts';
import { median } from '../measure/figures.ts';
import type { Part, Work } from './part.ts';
import { type Scene, Stage } from './scene.ts';

const queueName = 'bench';
const batchJobs = 1_000;
const tags = 50;
/** Of each kind. */
const searches = 21;
const followMs = 600_000;

const work: Work = (scene) =>
  Stage.with(scene.peer, async (stage) => {
    const address = stage.server.address as { broker: string; tokenFile: string };
    const options = { ...address, clientName: 'bench', connectDeadlineMs: 60_000 };
    const queue = await openQueue(options);
    await finish(queue, scene);
    const followedMs = await followed(queue);
    const medians = [];
    for (const kind of kinds) medians.push(await medianOf(queue, scene, kind));
    await queue.close();
    return { p50Ms: median(medians), slowestMs: Math.max(...medians), followedMs };
  });

/** Each has a file's name and one of the tags; what is purged is finished, too. */
async function finish(queue: JobQueue, { settings }: Scene): Promise<void> {
  for (let made = 0; made < settings.backlogJobs; made += batchJobs) {
    const count = Math.min(batchJobs, settings.backlogJobs - made);
    await queue.enqueue(Array.from({ length: count }, (_, index) => jobOf(made + index)));
  }
  await queue.purge(queueName);
}

function jobOf(number: number) {
  return newJob({
    agent: `agent-${number % 10}`,
    agentDigest: 'ab'.repeat(32),
    queue: queueName,
    input: { number },
    source: `texts/report-${number}.txt`,
    tags: [`tag-${number % tags}`],
  });
}

/** Until a search knows what was durable when it was asked for. */
async function followed(queue: JobQueue): Promise<number> {
  const startMs = performance.now();
  for (;;) {
    try {
      await queue.search({ states: ['ready'], limit: 1 });
      return performance.now() - startMs;
    } catch (error) {
      if (performance.now() - startMs > followMs) throw error;
      await sleep(200);
    }
  }
}

type Kind = (number: number) => SearchFilter;

const kinds: readonly Kind[] = [
  (number) => ({ text: `report-${number}` }),
  (number) => ({ tag: `tag-${number % tags}` }),
  (number) => ({ states: ['cancelled'], agent: `agent-${number % 10}` }),
  (number) => ({ states: ['dead'], text: `report-${number}` }),
  () => ({ queue: queueName, sinceMs: Date.now() - 3_600_000 }),
];

async function medianOf(queue: JobQueue, { settings }: Scene, kind: Kind): Promise<number> {
  const samples: number[] = [];
  for (let at = 0; at < searches; at++) {
    const number = Math.floor((settings.backlogJobs * at) / searches);
    const startMs = performance.now();
    await queue.search({ ...kind(number), limit: 50 });
    samples.push(performance.now() - startMs);
  }
  return median(samples);
}

export const searchPart: Part = {
  name: 'search',
  title: 'Search of the whole backlog, finished',
  work,
  figures: [
    { key: 'p50Ms', title: 'p50, the middle one of five kinds, ms', digits: 1, better: 'less' },
    { key: 'slowestMs', title: 'p50 of the slowest kind, ms', digits: 1, better: 'less' },
    { key: 'followedMs', title: 'until the history had followed, ms', digits: 0, better: 'less' },
  ],
  repeats: 'once',
  isOwn: true,
  isTarget: true,
};
