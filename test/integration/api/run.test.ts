/** Working on jobs through the API, with a real broker, threads and the offline model. */

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import {
  type Aiq,
  ConfigError,
  type ConnectOptions,
  connect,
  type JobReport,
  RunError,
  UnknownAgentError,
} from '../../../core/api/index.ts';
import { stopBroker } from '../../../core/host/index.ts';
import { patienceMs } from '../../support/patience.ts';
import { faultServer } from '../../support/servers/fault-server.ts';
import { MoodyServer } from '../../support/servers/moody-server.ts';

let dir: string;
let opened: Aiq[];
let notices: string[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aiq-api-'));
  opened = [];
  notices = [];
});

afterEach(async () => {
  await Promise.all(opened.map((aiq) => aiq.close()));
  await stopBroker(join(dir, '.aiq'));
  await rm(dir, { recursive: true });
});

async function open(
  settings: ConnectOptions['settings'] = { provider: 'offline' },
  env: ConnectOptions['env'] = {},
): Promise<Aiq> {
  const aiq = await connect({
    dir,
    settings,
    env: { HOME: dir, ...env },
    onNotice: (line) => notices.push(line),
  });
  opened.push(aiq);
  return aiq;
}

const text = (index: number) => ({
  text: `Mill ${index} burned in 1901. It was rebuilt in two years.`,
});

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );
}

describe('run', () => {
  test('ends when nothing is left, tells about each job, and its results can be read', async () => {
    const aiq = await open();
    const requests = [1, 2, 3].map((index) => ({ input: text(index), source: `mill-${index}` }));
    await aiq.enqueueMany('summarize', requests);
    const reports: JobReport[] = [];
    const { counts } = await aiq.run({ onJob: (report) => reports.push(report) });
    expect(counts).toMatchObject({ done: 3, dead: 0, held: 0 });
    expect(reports.map(({ source }) => source).sort()).toEqual(['mill-1', 'mill-2', 'mill-3']);
    for await (const { state, source, files } of aiq.jobs()) {
      expect(state).toBe('done');
      const content = await readFile(files[0] ?? '', 'utf8');
      expect(content).toContain(`Mill ${source.at(-1)} burned`);
    }
    // A slow machine is told how far the broker's start is.
    const told = notices.filter((notice) => !notice.includes('is starting'));
    expect(told).toEqual([expect.stringContaining('provider: offline')]);
  });

  test('works until its signal aborts, also on what is queued later by others', async () => {
    const [worker, producer] = [await open(), await open()];
    const stopping = new AbortController();
    const running = worker.run({ untilEmpty: false, signal: stopping.signal });
    const { id } = await producer.enqueue('summarize', text(1));
    expect(await producer.wait(id)).toMatchObject({ state: 'done' });
    stopping.abort();
    expect(await running).toMatchObject({ counts: { done: 1, held: 0 } });
  });

  test('takes nothing with a signal that has aborted before', async () => {
    const aiq = await open();
    const { id } = await aiq.enqueue('summarize', text(1));
    const { counts } = await aiq.run({ untilEmpty: false, signal: AbortSignal.abort() });
    expect(counts).toMatchObject({ done: 0, dead: 0 });
    expect(await aiq.job(id)).toMatchObject({ state: 'ready', attempts: 0 });
  });

  test('rejects with what onJob throws, and leaves the broker in order', async () => {
    const aiq = await open();
    await aiq.enqueueMany('summarize', [{ input: text(1) }, { input: text(2) }]);
    const problem = new Error('the listener is broken');
    const onJob = (): void => {
      throw problem;
    };
    expect(await rejection(aiq.run({ onJob }))).toBe(problem);
    expect(await aiq.run()).toMatchObject({ counts: { dead: 0, held: 0 } });
    for await (const { state, attempts } of aiq.jobs()) {
      expect({ state, attempts }).toEqual({ state: 'done', attempts: 0 });
    }
  });

  test('closing the connection ends it and hands its job back, uncharged', async () => {
    const server = await faultServer();
    onTestFinished(() => server.close());
    const aiq = await open({}, server.env);
    const { id } = await aiq.enqueue('summarize', text(1));
    const running = aiq.run({ model: 'aiq-offline?latency=60s' });
    const other = await open();
    await expect.poll(() => server.calls(), { timeout: patienceMs }).toBe(1);
    await aiq.close();
    expect(await running).toMatchObject({ counts: { done: 0, returned: 1 } });
    expect(await other.job(id)).toMatchObject({ state: 'ready', attempts: 0 });
    await expect(aiq.run()).rejects.toThrow('the connection was closed');
  });
});

test('a run goes on by itself once the key and the model are mended in its files', async () => {
  const server = await MoodyServer.start();
  try {
    const configure = async (model: string, key: string): Promise<void> => {
      await writeFile(join(dir, '.env'), `MOODY_KEY=${key}\n`);
      await writeFile(
        join(dir, 'aiq.config.yaml'),
        `provider: moody
model: ${model}
providers:
  moody: { baseURL: '${server.baseURL}', apiKey: '\${env:MOODY_KEY}' }
`,
      );
    };
    await configure(server.model, 'wrong');
    // Before a second call can come: the next job begins before the first one is reported.
    server.mood = (response) => {
      response.once('finish', () => {
        server.model = 'model-2';
      });
      return false;
    };
    const aiq = await open({ 'run.concurrency': 1 });
    await aiq.enqueueMany('summarize', [{ input: text(1) }, { input: text(2) }]);
    const done: string[] = [];
    const stopping = new AbortController();
    const running = aiq.run({
      untilEmpty: false,
      signal: stopping.signal,
      onJob: ({ outcome, source, id }) => {
        if (outcome === 'ack') done.push(source || id);
      },
    });
    const said = (words: RegExp) =>
      expect.poll(() => notices.join('\n'), { timeout: patienceMs }).toMatch(words);
    await said(/held, nothing is charged: .*key was refused/);
    await configure('model-1', server.key);
    await said(/held, nothing is charged: .*model is not there/);
    await configure('model-2', server.key);
    await expect.poll(() => done.length, { timeout: patienceMs }).toBe(2);
    stopping.abort();
    expect(await running).toMatchObject({ counts: { done: 2, dead: 0, retried: 0 } });
  } finally {
    await server.goAway();
  }
});

describe('a run that cannot do anything rejects with its reason', () => {
  test('no such agent', async () => {
    const aiq = await open();
    const error = await rejection(aiq.run({ agents: ['sumarize'] }));
    expect(error).toBeInstanceOf(UnknownAgentError);
    expect(error).toMatchObject({ suggestions: ['summarize'] });
    expect(await rejection(aiq.run({ agents: [] }))).toMatchObject({ code: 'no_agent' });
  });

  test('a provider without a key', async () => {
    const aiq = await open({ provider: 'openai' });
    const error = await rejection(aiq.run());
    expect(error).toBeInstanceOf(RunError);
    expect(error).toMatchObject({ code: 'no_credentials', cause: { name: 'ProviderError' } });
  });

  test('a key that the provider refuses; the job stays queued and is not charged', async () => {
    const server = await faultServer();
    onTestFinished(() => server.close());
    const aiq = await open({}, server.env);
    const { id } = await aiq.enqueue('summarize', text(1));
    const error = await rejection(aiq.run({ model: 'aiq-offline?error=401' }));
    expect(error).toBeInstanceOf(RunError);
    expect(await aiq.job(id)).toMatchObject({ attempts: 0 });
  });

  test('while one broken agent among others is only told about', async () => {
    await mkdir(join(dir, 'agents/broken'), { recursive: true });
    await writeFile(join(dir, 'agents/broken/agent.yaml'), 'description: Half of it.\n');
    const aiq = await open();
    await aiq.run();
    expect(notices).toContainEqual(expect.stringMatching(/"broken" is left out: .*agent\.yaml/));
  });
});

describe('connect', () => {
  test.each<[string, Readonly<Record<string, unknown>>, string]>([
    [
      'a value that cannot be used',
      { 'run.concurrency': 0 },
      '"run.concurrency" in the settings of connect()',
    ],
    ['a misspelt setting', { 'run.concurency': 4 }, 'Did you mean "run.concurrency"?'],
    ['something else', { colour: 'red' }, 'There are broker'],
  ])('rejects %s and starts no broker', async (_what, settings, words) => {
    const error = await rejection(open(settings));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ message: expect.stringContaining(words) });
    expect(existsSync(join(dir, '.aiq'))).toBe(false);
  });

  test('rejects a folder that is not there, or is none, and makes nothing', async () => {
    const file = join(dir, 'file');
    await writeFile(file, '');
    for (const missing of [join(dir, 'nope/x'), file]) {
      const error = await rejection(connect({ dir: missing, env: { HOME: dir } }));
      expect(error).toBeInstanceOf(ConfigError);
      expect(error).toMatchObject({ message: expect.stringContaining(missing) });
    }
    expect(existsSync(join(dir, 'nope'))).toBe(false);
  });
});

test('a closed connection says so', async () => {
  const aiq = await open();
  await aiq.close();
  await expect(aiq.run()).rejects.toMatchObject({ name: 'AiqError', code: 'CLOSED' });
});

async function all(rows: AsyncIterable<unknown>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const row of rows) found.push(row);
  return found;
}

test('options of the wrong type are refused by name', async () => {
  const aiq = await open();
  const untyped = aiq as unknown as Record<
    'enqueue' | 'run',
    (...args: unknown[]) => Promise<unknown>
  > &
    Record<'jobs', (filter: unknown) => AsyncIterable<unknown>>;
  const refusals: [string, () => Promise<unknown>][] = [
    ['id', () => untyped.enqueue('summarize', text(1), { id: 5 })],
    ['source', () => untyped.enqueue('summarize', text(1), { source: 5 })],
    ['state', () => all(untyped.jobs({ state: 'nope' }))],
    ['queue', () => all(untyped.jobs({ queue: 5 }))],
    ['agents', () => untyped.run({ agents: 'summarize' })],
  ];
  for (const [option, call] of refusals) {
    const error = await rejection(call());
    expect(error, option).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ message: expect.stringMatching(new RegExp(`^${option} `)) });
  }
  expect(await all(aiq.jobs())).toEqual([]);
});
