/** `aiq run` and how it stops: drained, at once, or refused before it began. */

import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EndpointProcess, Project, until } from '../../support/project.ts';

let endpoint: EndpointProcess;
let project: Project;

beforeAll(async () => {
  endpoint = await EndpointProcess.start('aiq-offline?latency=1s');
  project = await Project.make(endpoint.env);
});

afterAll(async () => {
  await project.remove();
  await endpoint.stop();
});

/** A consumer with two of three jobs in flight. */
async function runningConsumer(round: number, ...flags: string[]) {
  const before = (await endpoint.started()).length;
  const lines = [1, 2, 3].map((index) => JSON.stringify({ text: `Text ${index} of ${round}.` }));
  await project.write('jobs.jsonl', lines.join('\n'));
  await project.aiq('enqueue', 'summarize', '--jsonl', 'jobs.jsonl');
  const running = project.start('run', '--agents', 'summarize', '--concurrency', '2', ...flags);
  await until('two calls', async () => (await endpoint.started()).length === before + 2);
  return running;
}

async function statesOf(): Promise<string[]> {
  const { stdout } = await project.aiq('jobs', 'list', '--json');
  const jobs = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { state: string; attempts: number });
  expect(jobs.map(({ attempts }) => attempts)).toEqual(jobs.map(() => 0));
  return jobs.map(({ state }) => state).sort();
}

describe('SIGTERM and SIGINT', () => {
  test('the first lets running jobs finish, takes no more, and exits with 0', async () => {
    const running = await runningConsumer(1);
    running.child.kill('SIGTERM');
    const ended = await running.finished;
    expect(ended, ended.stderr).toMatchObject({ code: 0, signal: null });
    expect(ended.stderr).toMatch(/stopping: finishing 2 running jobs/);
    expect(await statesOf()).toEqual(['done', 'done', 'ready']);
    await project.aiq('run', '--until-empty');
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'a second %s stops at once, charges nothing, and exits with %d',
    async (signal, code) => {
      const running = await runningConsumer(code);
      running.child.kill(signal);
      await once(running.child.stderr as NodeJS.ReadableStream, 'data');
      running.child.kill(signal);
      const ended = await running.finished;
      expect(ended, ended.stderr).toMatchObject({ code, signal: null });
      expect((await statesOf()).filter((state) => state !== 'done')).toEqual([
        'ready',
        'ready',
        'ready',
      ]);
      const rest = await project.aiq('run', '--until-empty', '--concurrency', '3');
      expect(rest.stderr).toMatch(/3 done/);
    },
  );
});

test.runIf(process.platform === 'linux')('its memory is set to stay small', async () => {
  const running = await runningConsumer(9);
  const { pid } = running.child;
  const [command, environment] = await Promise.all(
    ['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8')),
  );
  expect(command?.split('\0')).toContain('--max-semi-space-size=4');
  expect(environment?.split('\0')).toContain('MALLOC_ARENA_MAX=2');
  running.child.kill('SIGTERM');
  const ended = await running.finished;
  expect(ended, ended.stderr).toMatchObject({ code: 0, signal: null });
  await project.aiq('run', '--until-empty');
});

test('with --json each job is a line on standard output, and nothing else is', async () => {
  await project.aiq('enqueue', 'summarize', '--text', 'One line.');
  const ran = await project.aiq('run', '--until-empty', '--json', '--quiet');
  expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(ran.stdout)).toMatchObject({
    agent: 'summarize',
    outcome: 'ack',
    state: 'done',
    files: [expect.stringContaining('/out/summaries/text-')],
  });
});

test('an empty queue is done at once', async () => {
  expect(await project.aiq('run', '--until-empty')).toMatchObject({ code: 0, stdout: '' });
});

const refused: [args: string[], code: number, text: RegExp][] = [
  [['--concurrency', '0'], 2, /"0" is not a whole number/],
  [['--threads', 'many'], 2, /"many" is not a whole number/],
  [['--provider', 'opneai'], 2, /opneai/],
  [['--agents', ','], 2, /names no agent/],
  [['--agents', 'summarise'], 5, /mean summarize/],
  [['summarize'], 2, /too many arguments/],
];
test.each(refused)('run %j is refused', async (args, code, text) => {
  const ran = await project.aiq('run', ...args);
  expect(ran, ran.stderr).toMatchObject({ code, stdout: '' });
  expect(ran.stderr).toMatch(text);
});

test('a broker in the foreground serves its folder to everybody and stops cleanly', async () => {
  const elsewhere = await Project.make(endpoint.env);
  try {
    const broker = elsewhere.start('broker', 'start', '--json');
    const [line] = (await once(broker.child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    expect(JSON.parse(line.toString())).toMatchObject({ pid: broker.child.pid, tcp: null });
    await elsewhere.aiq('enqueue', 'summarize', '--text', 'A text.');
    const { stdout } = await elsewhere.aiq('broker', 'status', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ running: true, pid: broker.child.pid });
    expect(await elsewhere.aiq('broker', 'stop')).toMatchObject({ code: 0 });
    expect(await broker.finished).toMatchObject({ code: 0, signal: null });
    expect((await elsewhere.aiq('broker', 'status')).stdout).toMatch(
      /^no broker is running for file:/,
    );
  } finally {
    await elsewhere.remove();
  }
});

test('over TCP, clients need the token of the broker', async () => {
  const elsewhere = await Project.make(endpoint.env);
  try {
    const args = ['broker', 'start', '--dir', 'served', '--listen', 'tcp://127.0.0.1:0', '--json'];
    const broker = elsewhere.start(...args);
    const [line] = (await once(broker.child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    const { tcp } = JSON.parse(line.toString()) as { tcp: { port: number } };
    const address = `tcp://127.0.0.1:${tcp.port}`;
    const without = await elsewhere.aiq('jobs', 'list', '--broker', address);
    expect(without, without.stderr).toMatchObject({ code: 4, stdout: '' });
    await elsewhere.write('aiq.config.yaml', `broker: ${address}\nbrokerTokenFile: served/token\n`);
    const added = await elsewhere.aiq('enqueue', 'summarize', '--text', 'A text.', '--wait');
    expect(added, added.stderr).toMatchObject({ code: 0 });
    expect(added.stdout).toMatch(/^- A text\./);
    expect(await elsewhere.aiq('broker', 'stop')).toMatchObject({ code: 0 });
    expect(await broker.finished).toMatchObject({ code: 0, signal: null });
  } finally {
    await elsewhere.write('aiq.config.yaml', '');
    await elsewhere.remove();
  }
});

test('limits.timeout of the configuration holds for agents that name none', async () => {
  const own = await Project.make({ ...endpoint.env, AIQ_LIMITS_TIMEOUT: '300ms' });
  try {
    await mkdir(join(own.dir, 'agents', 'plain'), { recursive: true });
    const manifest = [
      'description: Says it again.',
      'instructions: Repeat the text.',
      'retry: { attempts: 1 }',
      'input: { schema: { type: object, required: [text], properties: { text: { type: string } } } }',
    ];
    await own.write(join('agents', 'plain', 'agent.yaml'), manifest.join('\n'));
    await own.aiq('enqueue', 'plain', '--text', 'A sentence to repeat.');
    const ended = await own.aiq('run', '--until-empty');
    expect(ended, ended.stderr).toMatchObject({ code: 7 });
    expect(ended.stderr).toContain('300 ms');
  } finally {
    await own.remove();
  }
});

test('a running job that is cancelled stops at once and publishes nothing', async () => {
  const own = await Project.make(endpoint.env);
  try {
    const before = (await endpoint.started()).length;
    const { stdout: id } = await own.aiq(
      'enqueue',
      'summarize',
      '--text',
      'Cancelled while it runs.',
    );
    const running = own.start('run', '--until-empty');
    await until('the call', async () => (await endpoint.started()).length === before + 1);
    await own.aiq('jobs', 'cancel', id.trim());
    const ended = await running.finished;
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    expect(ended.stderr).toContain('the job was cancelled');
    expect(await own.list('out', 'summaries')).toEqual([]);
    expect(await own.read('out', '.aiq', 'results.jsonl')).toBe('');
  } finally {
    await own.remove();
  }
});
