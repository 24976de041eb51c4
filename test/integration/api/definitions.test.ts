/** A result counts for the definition that made it: agents change while their jobs wait. */

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Aiq, connect, type JobReport } from '../../../core/api/index.ts';
import { stopBroker } from '../../../core/host/index.ts';

let dir: string;
let opened: Aiq[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aiq-definitions-'));
  opened = [];
});

afterEach(async () => {
  await Promise.all(opened.map((aiq) => aiq.close()));
  await stopBroker(join(dir, 'broker'));
  await rm(dir, { recursive: true });
});

/** A project of that name; all projects have one broker. */
async function open(project: string): Promise<Aiq> {
  await mkdir(join(dir, project), { recursive: true });
  const aiq = await connect({
    dir: join(dir, project),
    settings: {
      provider: 'offline',
      broker: `file:${join(dir, 'broker')}`,
      'output.dir': join(dir, project, 'out'),
    },
    env: { HOME: dir },
  });
  opened.push(aiq);
  return aiq;
}

/** Writes the agent `say`, whose answers tell its version. */
async function define(project: string, version: string, more = ''): Promise<void> {
  const folder = join(dir, project, 'agents', 'say');
  await mkdir(folder, { recursive: true });
  const manifest = `
description: Says it.
instructions: Say it.
prompt: '<text>This is what ${version} made of it. {{input.text}}</text>'
input:
  schema:
    type: object
    required: [text]
    properties: { text: { type: string }, ${more} }
output: { format: text, file: 'x-{{job.shortId}}.txt' }
`;
  await writeFile(join(folder, 'agent.yaml'), manifest);
}

const input = { text: 'A mill burned in the winter of 1901.' };

async function textOf(job: { readonly files: readonly string[] }): Promise<string> {
  return readFile(job.files[0] ?? '', 'utf8');
}

test('a waiting job of an older definition is moved to the present one, and who waits for it gets that', async () => {
  await define('a', 'v1');
  const before = await open('a');
  const terms = { priority: 'high', tags: ['spring'], source: 'mill' } as const;
  const expiresAt = new Date(Date.now() + 3_600_000);
  const old = await before.enqueue('say', input, { ...terms, expiresAt });
  await define('a', 'v2', 'tone: { type: string, default: warm }');
  const waiting = before.wait(old.id);
  const now = await open('a');
  const reports: JobReport[] = [];
  const { counts } = await now.run({ onJob: (report) => reports.push(report) });
  expect(counts).toMatchObject({ superseded: 1, done: 1, dead: 0 });
  const [moved, done] = reports;
  expect(moved).toMatchObject({ id: old.id, supersededBy: done?.id });
  const ended = await waiting;
  expect(ended).toMatchObject({ id: done?.id, state: 'done', source: 'mill', priority: 'high' });
  expect(ended).toMatchObject({ tags: ['spring'], expiresAt: expiresAt.toISOString() });
  expect(await textOf(ended)).toContain('This is what v2 made of it.');
  expect(Buffer.from((await now.result(old.id)) ?? []).toString()).toContain(
    'This is what v2 made of it.',
  );
  expect(await now.job(old.id)).toMatchObject({ state: 'done', supersededBy: ended.id });

  // The same command with the present definition finds that job.
  expect(await now.enqueue('say', input)).toMatchObject({ id: ended.id, outcome: 'exists' });

  // Put back v1, and v1 is made.
  await define('a', 'v1');
  const back = await open('a');
  const again = await back.enqueue('say', input);
  expect(again.outcome).toBe('created');
  await back.run();
  expect(await textOf(await back.wait(again.id))).toContain('This is what v1 made of it.');
  expect(await back.enqueue('say', input)).toMatchObject({ id: again.id, outcome: 'exists' });
});

test('a consumer that runs takes the newer definition of a job that comes, and moves none back', async () => {
  await define('a', 'v1');
  const consumer = await open('a');
  const stop = new AbortController();
  const reports: JobReport[] = [];
  const running = consumer.run({
    untilEmpty: false,
    signal: stop.signal,
    onJob: (report) => reports.push(report),
  });
  const first = await consumer.enqueue('say', input);
  expect(await textOf(await consumer.wait(first.id))).toContain('v1');
  await define('a', 'v2');
  const producer = await open('a');
  const second = await producer.enqueue('say', input);
  const ended = await producer.wait(second.id);
  expect(ended.id).toBe(second.id);
  expect(await textOf(ended)).toContain('v2');
  stop.abort();
  await running;
  expect(reports.map(({ supersededBy }) => supersededBy)).toEqual(['', '']);
});

test('a job whose id the user chose runs in place, and one that was forced is moved', async () => {
  await define('a', 'v1');
  const before = await open('a');
  const chosen = await before.enqueue('say', input, { id: 'monday' });
  const forced = await before.enqueue('say', input, { force: true });
  await define('a', 'v2');
  const now = await open('a');
  expect((await now.run()).counts).toMatchObject({ done: 2, superseded: 1 });
  const inPlace = await now.wait(chosen.id);
  expect(inPlace.id).toBe(chosen.id);
  expect(await textOf(inPlace)).toContain('v2');
  expect((await now.wait(forced.id)).id).not.toBe(forced.id);
});

test('an input that does not fit the present definition is told, and nothing is moved', async () => {
  await define('a', 'v1');
  const before = await open('a');
  const old = await before.enqueue('say', input);
  await define('a', 'v2', 'tone: { type: string }');
  const file = join(dir, 'a', 'agents', 'say', 'agent.yaml');
  const manifest = await readFile(file, 'utf8');
  await writeFile(file, manifest.replace('[text]', '[text, tone]'));
  const now = await open('a');
  expect((await now.run()).counts).toMatchObject({ dead: 1, superseded: 0 });
  expect((await now.job(old.id))?.error).toMatchObject({ code: 'input_invalid' });
});

test('a job of another folder waits with the reason, until that folder runs it', async () => {
  await define('a', 'v1');
  await define('b', 'other');
  const [a, b] = [await open('a'), await open('b')];
  const theirs = await a.enqueue('say', input);
  const own = await b.enqueue('say', input);
  expect((await b.run()).counts).toMatchObject({ done: 1, dead: 0, superseded: 0 });
  expect(await textOf(await b.wait(own.id))).toContain('This is what other made');
  const waits = await b.job(theirs.id);
  expect(waits).toMatchObject({ state: 'parked', error: { code: 'other_definition' } });
  expect(waits?.error?.message).toContain(join(dir, 'a'));
  // Its own folder takes it, also after its agent was changed meanwhile.
  await define('a', 'v2');
  const later = await open('a');
  expect((await later.run()).counts).toMatchObject({ done: 1, superseded: 1 });
  expect(await textOf(await a.wait(theirs.id))).toContain('This is what v2 made');
});

test('the same definition in another folder does the job', async () => {
  await define('a', 'v1');
  await define('b', 'v1');
  const [a, b] = [await open('a'), await open('b')];
  const job = await a.enqueue('say', input);
  expect((await b.run()).counts).toMatchObject({ done: 1, superseded: 0 });
  expect((await a.wait(job.id)).state).toBe('done');
});

test('knowledge that changes moves the jobs that wait for it once, and their own results move none', async () => {
  await define('a', 'v1', 'other: { type: string }');
  const file = join(dir, 'a', 'agents', 'say', 'agent.yaml');
  const reading = "tools: [search_files]\nknowledge: [{ include: ['**/*.txt'] }]\n";
  await writeFile(file, (await readFile(file, 'utf8')) + reading);
  await writeFile(join(dir, 'a', 'notes.txt'), 'The heron wades at dawn.\n');
  const aiq = await open('a');
  const requests = [1, 2, 3, 4].map((index) => ({ input: { text: `Heron ${index} wades.` } }));
  await aiq.enqueueMany('say', requests);
  expect((await aiq.run()).counts).toMatchObject({ done: 4, superseded: 0 });
  const more = [5, 6].map((index) => ({ input: { text: `Heron ${index} wades.` } }));
  await aiq.enqueueMany('say', more);
  await writeFile(join(dir, 'a', 'notes.txt'), 'The heron wades at noon.\n');
  expect((await aiq.run()).counts).toMatchObject({ done: 2, superseded: 2 });
});
