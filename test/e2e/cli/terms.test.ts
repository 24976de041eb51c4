/** When and how jobs are done, and what the broker keeps of them: one project, real processes. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Finished, Project } from '../../support/project.ts';
import { type FaultServer, faultServer } from '../../support/servers/fault-server.ts';

let project: Project;
let server: FaultServer;

beforeAll(async () => {
  server = await faultServer();
  project = await Project.make({ ...server.env });
  await project.write('aiq.config.yaml', 'provider: offline\n');
});

afterAll(async () => {
  await project.remove();
  await server.close();
});

const succeed = (...args: string[]): Promise<Finished> => project.succeed(...args);

async function json(...args: string[]): Promise<Record<string, unknown>> {
  return JSON.parse((await succeed(...args, '--json')).stdout) as Record<string, unknown>;
}

async function add(id: string, ...args: string[]): Promise<string> {
  const text = `The ${id} mill burned in 1901. It was rebuilt. It shut.`;
  return (await succeed('enqueue', 'summarize', '--text', text, '--id', id, ...args)).stdout.trim();
}

test('a job has the priority, times, tags and key that it was given, and waits for its key', async () => {
  const terms = ['--priority', 'high', '--expires', '2h', '--tag', 'mill', '--tag', 'q3'];
  const id = await add('parked', ...terms, '--park-key', 'approval:7');
  expect(await json('jobs', 'show', id)).toMatchObject({
    state: 'parked',
    priority: 'high',
    tags: ['mill', 'q3'],
    parkKey: 'approval:7',
    expiresAt: expect.stringMatching(/^20.*Z$/),
    history: [],
  });
  expect((await succeed('jobs', 'list', '--state', 'parked')).stdout).toContain(id);
  expect((await succeed('signal', 'approval:8')).stderr).toContain('no job is parked');
  expect(await json('signal', 'approval:7')).toEqual({ key: 'approval:7', woken: 1 });
  expect(await json('jobs', 'show', id)).toMatchObject({ state: 'ready', parkKey: null });
});

test('a job waits until its time, and one that comes too late is dead', async () => {
  const later = await add('later', '--run-at', '2100-01-01');
  expect(await json('jobs', 'show', later)).toMatchObject({ state: 'delayed' });
  const late = await add('late', '--run-at', '1h', '--expires', '2h');
  expect(await json('jobs', 'show', late)).toMatchObject({ state: 'delayed' });
  const soon = await add('soon', '--park-key', 'never', '--expires', '1s');
  const waited = await project.aiq('jobs', 'wait', soon, '--timeout', '60s');
  expect(waited).toMatchObject({ code: 7 });
  expect((await succeed('jobs', 'show', soon)).stdout).toContain('expired');
  await succeed('jobs', 'cancel', later, late);
});

test('who waits for a job that is held is told why', async () => {
  const wait = (text: string, ...terms: string[]): Promise<Finished> =>
    project.aiq('enqueue', 'summarize', '--text', text, ...terms, '--wait', '--timeout', '1ms');
  await succeed('queues', 'pause', 'summarize');
  const reasons: [terms: string[], reason: string][] = [
    [[], 'queue "summarize" is paused. To resume: aiq queues resume summarize'],
    [['--run-at', '2100-01-01'], '1 of 1 jobs are delayed'],
    [['--park-key', 'held:1'], '1 of 1 jobs are parked until aiq signal'],
  ];
  for (const [terms, reason] of reasons) {
    const held = await wait(`Held ${reason}`, ...terms);
    expect(held, held.stderr).toMatchObject({ code: 8 });
    expect(held.stderr).toContain(reason);
  }
  await succeed('queues', 'purge', 'summarize', '--yes');
  await succeed('queues', 'resume', 'summarize');
});

test.each([
  [['--priority', 'urgent'], 'Allowed choices are highest'],
  [['--run-at', 'tomorrow'], '--run-at: "tomorrow" is not a time'],
  [['--expires', '2020-01-01'], 'is in the past'],
  [['--tag', 'two words'], 'is not a tag'],
])('%j is refused, and nothing is queued', async (flags, message) => {
  const refused = await project.aiq('enqueue', 'summarize', '--text', 'A text.', ...flags);
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toContain(message);
});

test('dead jobs are queued again by cause, all at once', async () => {
  await succeed('queues', 'purge', 'summarize', '--yes');
  const id = await add('dies');
  await project.aiq(
    'run',
    '--until-empty',
    '--provider',
    'openai',
    '--model',
    'aiq-offline?error=400',
  );
  const { error } = (await json('jobs', 'show', id)) as { error: { code: string } };
  expect(await json('jobs', 'retry', '--dead', '--cause', 'nothing_like_it')).toEqual({
    retried: 0,
  });
  const again = await json(
    'jobs',
    'retry',
    '--dead',
    '--queue',
    'summarize',
    '--cause',
    error.code,
  );
  expect(again).toEqual({ retried: 1 });
  expect(await json('jobs', 'show', id)).toMatchObject({
    state: 'ready',
    attempts: 0,
    history: [{ end: 'final', delivery: 1, error: { code: error.code } }],
  });
  for (const args of [['--dead', id], [], ['--cause', 'x', id]]) {
    expect(await project.aiq('jobs', 'retry', ...args)).toMatchObject({ code: 2, stdout: '' });
  }
});

test('a result is there where its files are not', async () => {
  const id = await add('kept');
  await succeed('run', '--until-empty');
  const made = (await succeed('jobs', 'result', id)).stdout;
  await succeed('jobs', 'result', id, '-o', 'one.md');
  expect(await project.read('one.md')).toBe(made);
  await rm(join(project.dir, 'out'), { recursive: true });
  expect((await succeed('jobs', 'result', id)).stdout).toBe(made);
  await succeed('jobs', 'result', id, '--output', 'two.md');
  expect(await project.read('two.md')).toBe(made);
  expect(await project.aiq('jobs', 'result', id, '--path')).toMatchObject({ code: 5, stdout: '' });
});

test('jobs are searched by what is known of them', async () => {
  const args = ['jobs', 'search', '--tag', 'ferry', '--since', '1h', '--queue', 'summarize'];
  const ids = [await add('north', '--tag', 'ferry'), await add('south', '--tag', 'ferry')];
  await expect.poll(async () => (await succeed(...args)).stdout.split('\n').length - 1).toBe(2);
  const [first = ''] = (await succeed(...args, '--limit', '1')).stdout.split('\t');
  expect(first).toBe(ids[1]);
  const { stderr } = await succeed(...args, '--limit', '1');
  const [, cursor = ''] = /--after (\S+)/.exec(stderr) ?? [];
  expect((await succeed(...args, '--after', cursor)).stdout.split('\t')[0]).toBe(ids[0]);
  expect((await succeed(...args, '--state', 'dead')).stderr).toContain('no jobs');
});

test('a queue has limits of its own, and says so', async () => {
  await succeed('queues', 'set', 'summarize', '--max-jobs', '1', '--keep', '7d');
  const refused = await project.aiq('enqueue', 'summarize', '--text', 'A.', '--force');
  expect(refused).toMatchObject({ code: 6, stdout: '' });
  expect(refused.stderr).toContain('QUEUE_FULL');
  await succeed('queues', 'set', 'summarize', '--max-jobs', '0');
  expect(await json('queues', 'show', 'summarize')).toMatchObject({
    jobsMax: 0,
    keepMs: 7 * 86_400_000,
  });
  expect(await project.aiq('queues', 'set', 'summarize')).toMatchObject({ code: 2 });
});

test('the broker tells of its log, its disk and its history', async () => {
  const { stdout } = await succeed('broker', 'status');
  expect(stdout).toMatch(/^log +.* in \d+ segments?: .* live, .* dead$/m);
  expect(stdout).toMatch(/^disk +.* free$/m);
  expect(stdout).toMatch(/^history +up to record \d+ of \d+$/m);
  expect(await json('broker', 'status')).toMatchObject({ diskFull: false });
});
