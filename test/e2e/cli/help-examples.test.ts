/**
 * Every example of every help text runs as printed, in one prepared folder with one broker, and
 * ends as it says.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exampleJobs } from '../../../core/cli/examples.ts';
import {
  allCommands,
  examplesOf,
  isLeaf,
  type PrintedExample,
} from '../../support/command-tree.ts';
import { type Finished, Project } from '../../support/project.ts';
import { type FaultServer, faultServer } from '../../support/servers/fault-server.ts';

const bin = fileURLToPath(new URL('../../../bin/aiq.js', import.meta.url));
const tree = await allCommands();
let project: Project;
let server: FaultServer;
let env: Record<string, string>;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  server = await faultServer();
  project = await Project.make({ ...server.env });
  env = await makeShim();
  await project.write(
    'aiq.config.yaml',
    'provider: offline\nbudgets: { daily: { amount: 3, currency: USD, agent: search } }\n',
  );
  await mkdir(join(project.dir, 'docs'));
  for (const [file, day] of [
    ['article.txt', 'Monday'],
    ['docs/one.md', 'Tuesday'],
    ['docs/two.md', 'Wednesday'],
  ] as const) {
    await project.write(file, `The mill burned on a ${day}. It was rebuilt within a year.\n`);
  }
  await addJobs();
});

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await project.remove();
  await server.close();
});

/** `aiq` as a command of its own on the path, as an installation has it. */
async function makeShim(): Promise<Record<string, string>> {
  const folder = join(project.dir, 'shim');
  await mkdir(folder);
  const file = join(folder, 'aiq');
  await writeFile(file, `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`);
  await chmod(file, 0o755);
  return { PATH: `${folder}:${process.env['PATH'] ?? ''}`, HOME: project.dir, NO_COLOR: '1' };
}

/** The jobs that the examples name: three that died, one that is done, one that waits. */
async function addJobs(): Promise<void> {
  const add = async (key: keyof typeof exampleJobs): Promise<void> => {
    const added = await project.aiq('enqueue', 'summarize', 'article.txt', '--id', key);
    expect(added.stdout.trim(), added.stderr).toBe(exampleJobs[key]);
  };
  await Promise.all([add('tuesday'), add('thursday'), add('friday')]);
  const drain = ['run', '--agents', 'summarize', '--until-empty'];
  const died = await project.aiq(
    ...drain,
    '--provider',
    'openai',
    '--model',
    'aiq-offline?error=400',
  );
  expect(died.code, died.stderr).toBe(7);
  await add('monday');
  const done = await project.aiq(...drain);
  expect(done.code, done.stderr).toBe(0);
  await add('wednesday');
}

const isRunning = (meaning: string): boolean => meaning.includes('until Ctrl-C');

/** Runs a line in a shell; what Ctrl-C is to reach takes the shell's place. */
async function runLine({ line, meaning }: PrintedExample): Promise<Finished> {
  const child = spawn('sh', ['-c', isRunning(meaning) ? `exec ${line}` : line], {
    cwd: project.dir,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const out = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (out.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (out.stderr += chunk.toString()));
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  if (isRunning(meaning)) await interrupt(child, () => out.stdout + out.stderr);
  const [code, signal] = await closed;
  running.delete(child);
  return { code, signal, ...out };
}

/** The first line that only a command at work prints: a job that ended, a change, a broker. */
const atWork = /^ok {2,}|^\d\d:\d\d:\d\d|^broker \d+ serves/m;

/** Presses Ctrl-C once it works. What takes or watches jobs has nothing to say until there is one. */
async function interrupt(child: ChildProcess, output: () => string): Promise<void> {
  const needsJob = child.spawnargs.at(-1)?.startsWith('exec aiq broker') === false;
  while (!atWork.test(output()) && child.exitCode === null) {
    if (needsJob) await project.aiq('enqueue', 'summarize', '--text', 'A text.', '--force');
    else await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill('SIGINT');
}

/** Those that change what others look at, in an order in which each finds what it needs. */
const inOrder = [
  'aiq budgets set',
  'aiq budgets show',
  'aiq budgets raise',
  'aiq budgets settle',
  'aiq budgets remove',
  'aiq jobs cancel',
  'aiq jobs retry',
  'aiq dead retry',
  'aiq queues pause',
  'aiq queues resume',
  'aiq queues purge',
  'aiq enqueue',
  'cat article.txt | aiq enqueue',
  'aiq run --',
  'aiq run',
  'aiq tail --',
  'aiq tail',
  'aiq agents new',
  'aiq init',
  'aiq broker backup',
  'aiq broker verify',
  'aiq broker restore',
  'aiq broker stop',
  'aiq broker salvage',
  'aiq broker start',
];

function orderOf({ line }: PrintedExample): number {
  return inOrder.findIndex((start) => line.startsWith(start));
}

async function check(example: PrintedExample): Promise<void> {
  const [, code = '0'] = /exits (\d+)/.exec(example.meaning) ?? [];
  const finished = await runLine(example);
  expect(finished, `${example.line}\n${finished.stderr}`).toMatchObject({ code: Number(code) });
}

test('every command has examples, and each is about that command', () => {
  for (const { path, command } of tree.filter(isLeaf)) {
    const examples = examplesOf(command);
    expect(examples, path).not.toEqual([]);
    for (const { line } of examples) expect(line).toMatch(new RegExp(`(^|\\| )aiq ${path}\\b`));
  }
});

test('every example runs as printed and ends as it says', async () => {
  const lines = new Map(
    tree.flatMap(({ command }) => examplesOf(command)).map((example) => [example.line, example]),
  );
  const examples = [...lines.values()];
  expect(examples.length).toBeGreaterThan(50);
  const waiting = examples.filter((example) => orderOf(example) === -1);
  const lane = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await check(next);
  };
  await Promise.all([lane(), lane(), lane()]);
  const ordered = examples.filter((example) => orderOf(example) !== -1);
  for (const example of ordered.toSorted((one, other) => orderOf(one) - orderOf(other))) {
    await check(example);
  }
});
