/** Every exit code of the table, produced by a real command in a real folder. */

import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExitName, exitCode, exitCodes } from '../../core/cli/exit-codes.ts';
import { type Finished, Project } from '../support/project.ts';
import { type FaultServer, faultServer } from '../support/servers/fault-server.ts';

const config = `provider: offline
providers:
  keyless: { baseURL: 'http://127.0.0.1:9/v1', apiKey: '\${env:NO_KEY}', model: m }
  elsewhere: { baseURL: 'http://127.0.0.1:9/v1', apiKey: '\${env:MY_KEY}', model: m }
budgets: { daily: { amount: 3, currency: USD, agent: search } }
`;

let project: Project;
let server: FaultServer;
let dead: string;
let waiting: string;

beforeAll(async () => {
  server = await faultServer();
  project = await Project.make({ ...server.env, AIQ_TRUST: '', MY_KEY: 'a key' });
  await project.write('aiq.config.yaml', config);
  dead = await add('one');
  await project.aiq(
    '--trust',
    'run',
    '--until-empty',
    '--provider',
    'openai',
    '--model',
    'aiq-offline?error=400',
  );
  waiting = await add('two');
  await project.write('file', 'This is no folder.');
  await mkdir(join(project.dir, 'damaged', 'log'), { recursive: true });
  await project.write('damaged/log/0000000001.log', 'No log at all. '.repeat(20));
});

afterAll(async () => {
  await project.remove();
  await server.close();
});

async function add(id: string): Promise<string> {
  const added = await project.aiq('enqueue', 'summarize', '--text', 'A text.', '--id', id);
  return added.stdout.trim();
}

/** Ends a watching command by a signal, once it has shown that it watches. */
async function signalled(signal: NodeJS.Signals): Promise<Finished> {
  const { child, finished } = project.start('tail', '--queue', 'summarize');
  const shown = once(child.stdout as NodeJS.ReadableStream, 'data').then(() => child.kill(signal));
  for (let key = 0; !child.killed && child.exitCode === null; key++) await add(`${signal}-${key}`);
  await shown;
  return finished;
}

const producers: { readonly [name in ExitName]: () => Promise<Finished> } = {
  ok: () => project.aiq('jobs', 'list', '--queue', 'nothing-there'),
  unexpected: () => project.aiq('--config', 'bad-place.yaml', 'agents', 'new', 'mine'),
  usage: () => project.aiq('enqueue', 'summarize', '--frobnicate'),
  invalid: () => project.aiq('enqueue', 'summarize', 'missing.txt'),
  credential: () => project.aiq('run', '--provider', 'keyless', '--until-empty'),
  notFound: () => project.aiq('jobs', 'show', '0000'),
  broker: () => project.aiq('broker', 'start'),
  jobFailed: () => project.aiq('jobs', 'wait', dead),
  waitTimeout: () => project.aiq('jobs', 'wait', waiting, '--timeout', '50ms'),
  partial: () => project.aiq('jobs', 'retry', dead, waiting),
  budget: async () => {
    await project.succeed('budgets', 'set');
    const parked = ['--park-key', 'budget:daily', '--wait'];
    return project.aiq('enqueue', 'summarize', '--text', 'Another text.', ...parked);
  },
  damaged: () => project.aiq('broker', 'verify', 'damaged'),
  locked: () => project.aiq('broker', 'salvage', 'salvaged'),
  untrusted: () => project.aiq('run', '--until-empty', '--provider', 'elsewhere'),
  interrupted: () => signalled('SIGINT'),
  terminated: () => signalled('SIGTERM'),
};

test.for(Object.keys(exitCodes) as ExitName[])('a command exits with "%s"', async (name) => {
  await project.write('bad-place.yaml', 'agentPaths: [./file]\n');
  const finished = await producers[name]();
  expect(finished, finished.stderr).toMatchObject({ code: exitCode(name), signal: null });
  const isFailure = !['ok', 'interrupted', 'terminated', 'partial', 'jobFailed'].includes(name);
  if (isFailure) expect(finished.stderr).toMatch(/^error: \S/m);
});
