/** Queueing through the API: what is checked, what is sent, and what a refusal looks like. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AgentError, BrokenAgentError, UnknownAgentError } from '../../../core/agent/index.ts';
import type { EnqueueOptions } from '../../../core/api/index.ts';
import { createProducer } from '../../../core/api/producer.ts';
import { loadConfig } from '../../../core/config/index.ts';
import { AiqError, type Enqueued, type Job, readJobBody } from '../../../core/job-queue/index.ts';

const manifest = `
description: Greets.
instructions: Greet {{input.name}}.
input:
  schema:
    type: object
    required: [name]
    properties:
      name: { type: string, maxLength: 10 }
      tone: { enum: [warm, cold], default: warm }
output: { format: text, file: '{{job.shortId}}.txt' }
retry: { attempts: 7 }
`;

let dir: string;
let sent: Job[];
let answer: (job: Job) => Enqueued;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aiq-api-'));
  await writeAgent('greet', manifest);
});

afterAll(async () => {
  await rm(dir, { recursive: true });
});

beforeEach(() => {
  sent = [];
  answer = ({ id }) => ({ id, outcome: 'created', state: 'ready' });
});

async function writeAgent(name: string, text: string): Promise<void> {
  await mkdir(join(dir, 'agents', name), { recursive: true });
  await writeFile(join(dir, 'agents', name, 'agent.yaml'), text);
}

function producer() {
  const config = loadConfig({ cwd: dir, env: { HOME: dir } });
  const enqueue = async (jobs: readonly Job[]): Promise<Enqueued[]> => {
    sent.push(...jobs);
    return jobs.map(answer);
  };
  return createProducer({ config, queue: { enqueue }, trust: { allow: () => Promise.resolve() } });
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );
}

describe('enqueue', () => {
  test('sends the input with its defaults, and what the agent says about its jobs', async () => {
    const job = await producer().enqueue('greet', { name: 'Ann' }, { source: 'list', delayMs: 5 });
    expect(job).toMatchObject({ outcome: 'created', state: 'ready' });
    expect(job.id.startsWith(job.shortId)).toBe(true);
    const [only] = sent;
    expect(only).toMatchObject({ id: job.id, queue: 'greet', source: 'list', delayMs: 5 });
    expect(only).toMatchObject({ agent: 'greet', attemptsMax: 7 });
    expect(readJobBody(only as Job).input).toEqual({ name: 'Ann', tone: 'warm' });
  });

  test('gives the same job the same id, a key its own, and a forced one a new one', async () => {
    const { enqueue } = producer();
    const input = { name: 'Ann' };
    const first = await enqueue('greet', input);
    expect((await enqueue('greet', { tone: 'warm', name: 'Ann' })).id).toBe(first.id);
    const keyed = await enqueue('greet', input, { id: 'k' });
    expect((await enqueue('greet', { name: 'Bob' }, { id: 'k' })).id).toBe(keyed.id);
    const forced = await enqueue('greet', input, { force: true });
    expect(new Set([first.id, keyed.id, forced.id]).size).toBe(3);
  });

  test('tells every problem of the input, and sends nothing', async () => {
    const error = await rejection(producer().enqueue('greet', { name: 7, tone: 'warn' }));
    expect(error).toBeInstanceOf(AgentError);
    expect(error).toMatchObject({
      code: 'input_invalid',
      message: expect.stringContaining('Did you mean warm?'),
      problems: [{ property: 'name' }, { property: 'tone' }],
    });
    expect(sent).toEqual([]);
  });

  test.each([
    ['an empty key', { id: '' }, 'id is empty'],
    ['a key for a forced job', { id: 'k', force: true }, 'contradict'],
    ['a negative delay', { delayMs: -1 }, 'delayMs'],
    ['half a millisecond', { delayMs: 0.5 }, 'delayMs'],
    ['a tag with a space', { tags: ['a b'] }, 'tags'],
    ['an empty park key', { parkKey: '' }, 'parkKey'],
  ])('refuses %s before anything is sent', async (_what, options, message) => {
    const error = await rejection(producer().enqueue('greet', { name: 'Ann' }, options));
    expect(error).toMatchObject({ code: 'BAD_REQUEST', message: expect.stringContaining(message) });
    expect(sent).toEqual([]);
  });

  test.each([
    ['priority', { priority: 'urgent' }],
    ['runAt', { runAt: '2026-11-30' }],
    ['expiresAt', { expiresAt: new Date(Number.NaN) }],
    ['tags', { tags: 'mill' }],
    ['parkKey', { parkKey: 7 }],
  ])('refuses a %s of the wrong kind by its name', async (name, options) => {
    const asked = producer().enqueue('greet', { name: 'Ann' }, options as EnqueueOptions);
    const error = await rejection(asked);
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ message: expect.stringMatching(new RegExp(`^${name} must`)) });
    expect(sent).toEqual([]);
  });

  test('gives the job the terms that were asked for, which are no part of what it is', async () => {
    const runAt = new Date(Date.UTC(2026, 10, 30));
    const terms = { runAt, priority: 'high', tags: ['mill'], parkKey: 'k' } as const;
    const plain = await producer().enqueue('greet', { name: 'Ann' });
    const job = await producer().enqueue('greet', { name: 'Ann' }, terms);
    expect(job.id).toBe(plain.id);
    expect(sent[0]).toMatchObject({ runAtMs: 0, priority: 'normal', tags: [], parkKey: '' });
    expect(sent[1]).toMatchObject({
      runAtMs: runAt.getTime(),
      priority: 'high',
      tags: ['mill'],
      parkKey: 'k',
    });
  });

  test("rejects with the broker's own refusal", async () => {
    answer = ({ id }) => ({ id, outcome: 'refused', code: 'DISK_FULL', message: 'no room' });
    const error = await rejection(producer().enqueue('greet', { name: 'Ann' }));
    expect(error).toBeInstanceOf(AiqError);
    expect(error).toMatchObject({ code: 'DISK_FULL', message: 'no room', retryable: true });
  });
});

describe('enqueueMany', () => {
  test('answers for each request in its order, refusals among them', async () => {
    answer = ({ id, source }) =>
      source === 'b'
        ? { id, outcome: 'refused', code: 'QUEUE_FULL', message: 'full' }
        : { id, outcome: source === 'c' ? 'exists' : 'created', state: 'ready' };
    const requests = ['a', 'b', 'c'].map((source) => ({ input: { name: source }, source }));
    const answers = await producer().enqueueMany('greet', requests);
    expect(answers.map(({ outcome }) => outcome)).toEqual(['created', 'refused', 'exists']);
    expect(answers.map(({ id }) => id)).toEqual(sent.map(({ id }) => id));
  });

  test('sends none when one input does not fit, and says which', async () => {
    const requests = [{ input: { name: 'Ann' } }, { input: {} }, { input: undefined }];
    const error = await rejection(producer().enqueueMany('greet', requests));
    expect(error).toMatchObject({ problems: [{ property: '[1].name' }, { property: '[2]' }] });
    expect(sent).toEqual([]);
  });

  test('keeps its message short when a thousand inputs do not fit, and its list complete', async () => {
    const requests = Array.from({ length: 1_000 }, () => ({ input: {} }));
    const error = (await rejection(producer().enqueueMany('greet', requests))) as AgentError;
    expect(error.problems).toHaveLength(1_000);
    expect(error.message.split('\n').length).toBeLessThan(60);
    expect(error.message).toContain('and 950 more');
  });
});

describe('an agent', () => {
  test('that is not there is refused with the name that was probably meant', async () => {
    const error = await rejection(producer().enqueue('gret', { name: 'Ann' }));
    expect(error).toBeInstanceOf(UnknownAgentError);
    expect(error).toMatchObject({ agent: 'gret', suggestions: ['greet'] });
  });

  test('that is broken is refused with its place, and taken once it is mended', async () => {
    const { enqueue } = producer();
    await writeAgent('mend', `${manifest}\ninstrutions: a typo\n`);
    const error = await rejection(enqueue('mend', { name: 'Ann' }));
    expect(error).toBeInstanceOf(BrokenAgentError);
    expect(error).toMatchObject({ problems: [{ line: expect.any(Number) }] });
    await writeAgent('mend', manifest);
    expect(await enqueue('mend', { name: 'Ann' })).toMatchObject({ outcome: 'created' });
  });
});
