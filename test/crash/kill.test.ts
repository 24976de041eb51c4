/**
 * kill -9 of the consumer and of the broker in the middle of the work, in seeded rounds. The model
 * endpoint lives in a process that is never killed and counts its calls.
 *
 * More rounds, or a failed one again: `npm run test:crash -- --rounds 10 --seed 7`.
 */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileAgent, loadAgent } from '../../core/agent/index.ts';
import { openQueue } from '../../core/job-queue/index.ts';
import { EndpointProcess, Project, until } from '../support/project.ts';
import { randomOf } from '../support/random.ts';
import { callsOfJob, paidSoFar, steppedJobs, steppedProject } from '../support/stepped-jobs.ts';

const rounds = Number(process.env['AIQ_CRASH_ROUNDS'] ?? 2);
const firstSeed = Number(process.env['AIQ_CRASH_SEED'] ?? 1);
const jobCount = 50;
const seeds = Array.from({ length: rounds }, (_, index) => firstSeed + index);

function article(index: number, seed: number): string {
  return `Article ${index} of round ${seed}. The mill number ${index} burned in 1901. It was rebuilt in two years. Many people worked there. It shut in 1950.\n`;
}

/** The digest by which the endpoint knows the call of each article. */
async function callDigests(seed: number): Promise<Map<string, string>> {
  const compiled = await compileAgent(await loadAgent('summarize', []));
  const digests = new Map<string, string>();
  for (let index = 1; index <= jobCount; index++) {
    const checked = compiled.checkInput({ text: article(index, seed) });
    if (!checked.ok) throw new Error('the article does not fit the schema');
    const job = { id: '', shortId: '', agent: 'summarize', attempt: 1, source: '', createdAt: '' };
    const user = compiled
      .renderMessages(checked.input, job)
      .find((message) => message.role === 'user');
    digests.set(
      `article-${index}`,
      createHash('sha256')
        .update(user?.content ?? '')
        .digest('hex'),
    );
  }
  return digests;
}

async function projectWithJobs(endpoint: EndpointProcess, seed: number): Promise<Project> {
  const project = await Project.make(endpoint.env);
  const names: string[] = [];
  for (let index = 1; index <= jobCount; index++) {
    const name = `article-${index}.txt`;
    await project.write(name, article(index, seed));
    names.push(name);
  }
  const enqueued = await project.aiq('enqueue', 'summarize', ...names);
  expect(enqueued, enqueued.stderr).toMatchObject({ code: 0 });
  expect(enqueued.stdout.trim().split('\n')).toHaveLength(jobCount);
  return project;
}

const runArgs = ['run', '--agents', 'summarize', '--until-empty', '--concurrency', '8'];

/** Articles whose jobs were settled: their results are real. */
async function settledArticles(project: Project): Promise<Set<string>> {
  const broker = `file:${join(project.dir, '.aiq')}`;
  const queue = await openQueue({ broker, tokenFile: null, clientName: 'test' });
  try {
    const { jobs } = await queue.list({ state: 'done', limit: 1000 });
    return new Set(jobs.map(({ source }) => source));
  } finally {
    await queue.close();
  }
}

/** 50 complete files, one for each article, and nothing half-made left visible. */
async function expectAllPublished(project: Project): Promise<void> {
  const files = await project.list('out', 'summaries');
  expect(files).toHaveLength(jobCount);
  const articles = new Set(files.map((file) => /article-\d+/.exec(file)?.[0]));
  expect(articles.size).toBe(jobCount);
  for (const file of files) {
    const text = await project.read('out', 'summaries', file);
    expect(
      text.trimEnd().endsWith('<!-- made by aiq-offline: extracted, not written by a model -->'),
      file,
    ).toBe(true);
  }
}

describe('kill -9', () => {
  const model = 'aiq-offline?latency=120ms';
  let endpoint: EndpointProcess;
  let answersKept = 0;

  beforeAll(async () => {
    endpoint = await EndpointProcess.start(model);
  });

  afterAll(async () => {
    await endpoint.stop();
  });

  for (const seed of seeds) {
    test(`of the consumer: no file is lost, half or double, and no settled job is called again (seed ${seed})`, async () => {
      const random = randomOf(seed);
      const digests = await callDigests(seed);
      const project = await projectWithJobs(endpoint, seed);
      try {
        const before = (await endpoint.started()).length;
        const killAfterCalls = 1 + Math.floor(random() * (jobCount - 10));
        const run = project.start(...runArgs);
        await until(
          'calls before the kill',
          async () => (await endpoint.started()).length - before >= killAfterCalls,
        );
        await new Promise((resolve) => setTimeout(resolve, random() * 150));
        run.child.kill('SIGKILL');
        expect((await run.finished).signal).toBe('SIGKILL');
        const settled = await settledArticles(project);
        const callsAtKill = (await endpoint.started()).length;
        const again = await project.aiq(...runArgs);
        expect(again, again.stderr).toMatchObject({ code: 0 });
        await expectAllPublished(project);
        const later = (await endpoint.started()).slice(callsAtKill);
        const repeated = [...settled].filter((name) => later.includes(digests.get(name) ?? ''));
        expect(repeated).toEqual([]);
        console.log(
          `seed ${seed}: killed after ${killAfterCalls} calls, ${settled.size} settled, ${later.length} calls later`,
        );
      } finally {
        await project.remove();
      }
    });

    test(`of the broker: the consumer starts the next one, and nothing is lost or called again (seed ${seed})`, async () => {
      const random = randomOf(seed + 1000);
      const project = await projectWithJobs(endpoint, seed + 1000);
      try {
        const before = (await endpoint.started()).length;
        const killAfterCalls = 1 + Math.floor(random() * (jobCount - 10));
        const run = project.start(...runArgs);
        await until(
          'calls before the kill',
          async () => (await endpoint.started()).length - before >= killAfterCalls,
        );
        await new Promise((resolve) => setTimeout(resolve, random() * 150));
        const pid = await project.brokerPid();
        expect(pid).not.toBeNull();
        process.kill(pid ?? 0, 'SIGKILL');
        const finished = await run.finished;
        expect(finished, finished.stderr).toMatchObject({ code: 0 });
        expect(await project.brokerPid()).not.toBe(pid);
        await expectAllPublished(project);
        expect((await endpoint.started()).length - before).toBe(jobCount);
      } finally {
        await project.remove();
      }
    });
  }

  for (const seed of seeds) {
    test(`of the consumer between the calls of its jobs: what was paid is not paid again (seed ${seed})`, async () => {
      const random = randomOf(seed + 2000);
      const stepped = await steppedProject(endpoint.env, seed);
      const { project, digests } = stepped;
      const args = ['run', '--until-empty', '--concurrency', '8'];
      try {
        const before = (await endpoint.started()).length;
        // The first eight calls are those of eight jobs: with the ninth, one is past its first answer.
        const killAfterCalls = 9 + Math.floor(random() * (callsOfJob * steppedJobs - 24));
        const run = project.start(...args);
        await until(
          'calls before the kill',
          async () => (await endpoint.started()).length - before >= killAfterCalls,
        );
        await new Promise((resolve) => setTimeout(resolve, random() * 300));
        run.child.kill('SIGKILL');
        expect((await run.finished).signal).toBe('SIGKILL');
        const paid = await paidSoFar(stepped, model);
        const callsAtKill = (await endpoint.started()).length;
        const again = await project.aiq(...args);
        expect(again, again.stderr).toMatchObject({ code: 0 });
        expect(await project.list('out')).toHaveLength(steppedJobs);
        const later = (await endpoint.started()).slice(callsAtKill);
        for (const digest of digests) {
          const missing = callsOfJob - (paid.get(digest) ?? callsOfJob);
          const calls = later.filter((one) => one === digest).length;
          expect(calls, `${missing} answers were missing`).toBeLessThanOrEqual(missing);
        }
        const kept = [...paid.values()].reduce((sum, answers) => sum + answers, 0);
        answersKept += kept;
        console.log(
          `seed ${seed}: killed after ${killAfterCalls} calls, ${paid.size} jobs open with ` +
            `${kept} answers paid, ${later.length} calls later`,
        );
      } finally {
        await project.remove();
      }
    });
  }

  test('of those consumers left answers that were paid for, and had no result yet', () => {
    expect(answersKept).toBeGreaterThan(0);
  });

  test('of the broker while 16 calls are in flight: none of the 16 is called again', async () => {
    const slow = await EndpointProcess.start('aiq-offline?latency=2s');
    const project = await Project.make(slow.env);
    try {
      const names = Array.from({ length: 16 }, (_, index) => `article-${index + 1}.txt`);
      for (const [index, name] of names.entries()) await project.write(name, article(index + 1, 0));
      await project.aiq('enqueue', 'summarize', ...names);
      const run = project.start(
        'run',
        '--agents',
        'summarize',
        '--until-empty',
        '--concurrency',
        '16',
      );
      await until('16 calls', async () => (await slow.started()).length === 16);
      process.kill((await project.brokerPid()) ?? 0, 'SIGKILL');
      const finished = await run.finished;
      expect(finished, finished.stderr).toMatchObject({ code: 0 });
      expect(await project.list('out', 'summaries')).toHaveLength(16);
      expect(await slow.started()).toHaveLength(16);
    } finally {
      await project.remove();
      await slow.stop();
    }
  });
});
