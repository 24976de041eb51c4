/**
 * kill -9 of the consumer again and again while its jobs wait for their answers: none of them is
 * charged, because a consumer that is gone tells nothing about any of them. Every agent here has one
 * attempt only, so that a single charge would be a dead job.
 *
 * The whole programme: `npm run test:crash -- --losses 20`.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Project, until } from '../support/project.ts';
import { randomOf } from '../support/random.ts';
import { MoodyServer } from '../support/servers/moody-server.ts';

const losses = Number(process.env['AIQ_CRASH_LOSSES'] ?? 3);
const seed = Number(process.env['AIQ_CRASH_SEED'] ?? 1);
const runArgs = ['run', '--until-empty', '--concurrency', '8'];

const manifest = `name: tiny
description: Says yes.
version: 1.0.0
instructions: Say yes.
prompt: '{{input.text}}'
input:
  primary: text
  schema:
    type: object
    required: [text]
    properties: { text: { type: string } }
output: { format: text, file: '{{job.id}}.txt' }
retry: { attempts: 1 }
`;

const open: { server: MoodyServer; project: Project }[] = [];
afterEach(async () => {
  for (const { server, project } of open.splice(0)) {
    await project.remove();
    await server.goAway();
  }
});

async function withJobs(count: number) {
  const server = await MoodyServer.start();
  const project = await Project.make({
    OPENAI_BASE_URL: server.baseURL,
    OPENAI_API_KEY: server.key,
    AIQ_MODEL: server.model,
  });
  open.push({ server, project });
  await mkdir(join(project.dir, 'agents', 'tiny'), { recursive: true });
  await project.write('agents/tiny/agent.yaml', manifest);
  const lines = Array.from({ length: count }, (_, at) => JSON.stringify({ text: `Text ${at}.` }));
  await project.write('jobs.jsonl', lines.join('\n'));
  const enqueued = await project.aiq('enqueue', 'tiny', '--jsonl', 'jobs.jsonl');
  expect(enqueued.code, enqueued.stderr).toBe(0);
  return { server, project };
}

/** Starts a consumer, and kills it once so many of its calls wait for their answer. */
async function loseConsumer(
  project: Project,
  server: MoodyServer,
  { waiting, answered, laterMs }: { waiting: number; answered: number; laterMs: number },
): Promise<void> {
  let [held, wanted] = [0, answered];
  server.mood = (response) => {
    if (wanted > 0) {
      wanted -= 1;
      return false;
    }
    held += 1;
    return new Promise((resolve) => response.once('close', () => resolve(false)));
  };
  const run = project.start(...runArgs);
  await until(`${waiting} calls that wait`, async () => held >= waiting);
  await new Promise((resolve) => setTimeout(resolve, laterMs));
  run.child.kill('SIGKILL');
  expect((await run.finished).signal).toBe('SIGKILL');
}

interface Job {
  readonly state: string;
  readonly attempts: number;
  readonly crashes: number;
}

async function expectAllDone(project: Project, server: MoodyServer): Promise<Job[]> {
  server.mood = () => false;
  const last = await project.aiq(...runArgs);
  expect(last, last.stderr).toMatchObject({ code: 0 });
  const listed = await project.aiq('jobs', 'list', '--json', '--limit', '100');
  const jobs = listed.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Job);
  expect(jobs.filter(({ state, attempts }) => state !== 'done' || attempts > 0)).toEqual([]);
  return jobs;
}

test(`40 jobs outlive ${losses} consumers that are killed while they wait for answers (seed ${seed})`, async () => {
  const random = randomOf(seed);
  const { server, project } = await withJobs(40);
  for (let kill = 1; kill <= losses; kill++) {
    // Jobs of a consumer that was lost run alone, at most four at a time.
    await loseConsumer(project, server, {
      waiting: 1 + Math.floor(random() * 4),
      answered: 1,
      laterMs: random() * 150,
    });
  }
  const jobs = await expectAllDone(project, server);
  expect(jobs).toHaveLength(40);
  const lost = jobs.reduce((sum, { crashes }) => sum + crashes, 0);
  expect(lost).toBeGreaterThanOrEqual(losses);
  console.log(`${losses} kills, 40 done, ${lost} leases lost, 0 attempts charged`);
});

test(`one job that waits alone outlives ${losses} of them`, async () => {
  const { server, project } = await withJobs(1);
  for (let kill = 1; kill <= losses; kill++) {
    await loseConsumer(project, server, { waiting: 1, answered: 0, laterMs: 0 });
  }
  const [job] = await expectAllDone(project, server);
  expect(job?.crashes).toBe(losses);
});
