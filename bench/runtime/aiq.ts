/** aiq: `aiq run` in a project with one agent, and the broker of its folder. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadAgent } from '../../core/agent/index.ts';
import { type JobQueue, newJobFor, openQueue } from '../../core/job-queue/index.ts';
import type { Provider } from '../../core/model/index.ts';
import {
  type Contestant,
  type ContestantOptions,
  type Running,
  systemPrompt,
} from './contestant.ts';

const bin = fileURLToPath(new URL('../../bin/aiq.js', import.meta.url));
const pollMs = 10;
export const agentName = 'tiny';

export const aiq: Contestant = contestant('aiq', 'aiq run');
/** Its calls have a price, and a budget that they never use up. */
export const budgeted: Contestant = contestant(
  'budget',
  'aiq run under a budget',
  `prices: { tiny: { input: 1, output: 2 } }
budgets: { all: { amount: 1000000, currency: USD } }
`,
  'contextTokens: { tiny: 4096 }, ',
);

/**
 * @param config lines of the configuration
 * @param ofProvider fields of its provider, with a comma behind them
 */
function contestant(name: string, title: string, config = '', ofProvider = ''): Contestant {
  return {
    name,
    title,
    missing: null,
    async start(options) {
      await writeProject(options.dir, options.provider, config, ofProvider);
      return start(options);
    },
  };
}

async function start({ dir, concurrency }: ContestantOptions): Promise<Running> {
  const queue = await openQueue({
    broker: `file:${join(dir, '.aiq')}`,
    tokenFile: null,
    clientName: 'bench',
    connectDeadlineMs: 60_000,
  });
  const { pid: serverPid } = await queue.engineStats();
  const agent = await loadAgent(agentName, [join(dir, 'agents')]);
  const consumer = runConsumer(dir, concurrency);
  while ((await queue.stats([agent.queue])).queues[0]?.consumers !== 1) {
    if (consumer.exitCode !== null) throw new Error(`aiq run ended with ${consumer.exitCode}`);
    await sleep(pollMs);
  }
  let given = 0;
  return {
    pid: consumer.pid ?? 0,
    serverPid,
    outputDir: join(dir, 'out'),
    async run(texts) {
      await queue.enqueue(texts.map((text) => newJobFor(agent, { input: { text } })));
      given += texts.length;
      while ((await doneJobs(queue)) < given) await sleep(pollMs);
      // Files follow the settle; they count here, as those of the others do.
      while ((await queue.unwrittenFolders()).some(({ unwritten }) => unwritten > 0)) {
        await sleep(pollMs);
      }
    },
    async stop() {
      consumer.kill('SIGTERM');
      await once(consumer, 'exit');
      await queue.shutdown();
      await queue.close();
    },
  };
}

/** @throws Error when one is dead */
export async function doneJobs(queue: JobQueue): Promise<number> {
  const [counts] = (await queue.stats([agentName])).queues;
  if (counts !== undefined && counts.dead > 0) throw new Error(`${counts.dead} jobs are dead`);
  return counts?.done ?? 0;
}

export function runConsumer(dir: string, concurrency: number) {
  return spawn(process.execPath, [bin, 'run', '-q', '--concurrency', String(concurrency)], {
    cwd: dir,
    env: { PATH: process.env['PATH'], HOME: dir, NO_COLOR: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

export async function writeProject(
  dir: string,
  { baseURL }: Provider,
  config = '',
  ofProvider = '',
): Promise<void> {
  await mkdir(join(dir, 'agents', agentName), { recursive: true });
  await writeFile(
    join(dir, 'agents', agentName, 'agent.yaml'),
    `name: ${agentName}
description: Says yes.
version: 1.0.0
instructions: ${systemPrompt}
prompt: '{{input.text}}'
input:
  primary: text
  schema:
    type: object
    required: [text]
    properties: { text: { type: string } }
output: { format: text, file: '{{job.id}}.txt' }
`,
  );
  await writeFile(
    join(dir, 'aiq.config.yaml'),
    `provider: tiny\nmodel: tiny\nproviders: { tiny: { ${ofProvider}baseURL: '${baseURL}' } }\n${config}`,
  );
}
