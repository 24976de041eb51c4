/**
 * What `aiq run` holds over many jobs: its memory at steps, in a process of its own that works on tiny
 * jobs against a model server in this one, and what the second half of the jobs adds.
 * `node bench/consumer-memory.ts [--jobs N] [--concurrency N]`
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadAgent } from '../core/agent/index.ts';
import { type JobQueue, newJob, openQueue } from '../core/job-queue/index.ts';
import { median, print } from './measure/figures.ts';
import { serveModel } from './measure/model-server.ts';

const bin = fileURLToPath(new URL('../bin/aiq.js', import.meta.url));
const mebibyte = 1024 * 1024;
const growthMiBMax = 10;
const steps = 20;
const batchJobs = 500;
/** So many jobs lie ahead of the consumer: enough that it never waits. */
const aheadMax = 4_000;
/** A step's figure is the middle of so many, because memory wavers with each collection. */
const samplesPerStep = 21;
const sampleMs = 250;

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '100000' },
    concurrency: { type: 'string', default: '32' },
  },
});
const jobs = Number(values.jobs);
if (!Number.isSafeInteger(jobs) || jobs < steps) {
  process.stderr.write(`error: --jobs takes a whole number from ${steps} up\n`);
  process.exit(2);
}

const server = await serveModel();
const dir = await mkdtemp(join(tmpdir(), 'aiq-bench-'));
let consumer: ChildProcess | undefined;
try {
  process.exitCode = await measure();
} finally {
  consumer?.kill('SIGKILL');
  server.close();
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
}

async function measure(): Promise<number> {
  print(`${jobs} jobs; ${availableParallelism()} cores, Node ${process.version}`);
  await writeProject();
  const queue = await openQueue({
    broker: `file:${join(dir, '.aiq')}`,
    tokenFile: null,
    clientName: 'bench',
  });
  const producing = produce(queue);
  const running = start();
  const startMs = performance.now();
  const found: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const target = Math.floor((jobs * step) / steps);
    while (server.calls() < target) {
      if (running.exitCode !== null) throw new Error(`aiq run ended with ${running.exitCode}`);
      await sleep(sampleMs);
    }
    const perSecond = (server.calls() * 1000) / (performance.now() - startMs);
    const mebibytes = await memoryOf(running.pid);
    found.push(mebibytes);
    print(`  ${target} jobs: ${mebibytes.toFixed(1)} MiB, ${perSecond.toFixed(0)} jobs a second`);
  }
  await producing;
  const counts = await settled(queue);
  running.kill('SIGTERM');
  const [code] = (await once(running, 'exit')) as [number | null];
  await queue.shutdown();
  await queue.close();
  const growth = (found[steps - 1] ?? Number.NaN) - (found[steps / 2 - 1] ?? Number.NaN);
  const isFlat = growth < growthMiBMax;
  const isWhole = counts.done === jobs && code === 0;
  print(
    `${counts.done} done, ${counts.dead} dead, ${server.calls()} calls; aiq run ended with ${code}`,
  );
  print(
    `the last ${jobs / 2} jobs add ${growth.toFixed(1)} MiB; less than ${growthMiBMax}: ${isFlat ? 'reached' : 'MISSED'}`,
  );
  return isFlat && isWhole ? 0 : 1;
}

async function writeProject(): Promise<void> {
  await mkdir(join(dir, 'agents', 'tiny'), { recursive: true });
  await writeFile(
    join(dir, 'agents', 'tiny', 'agent.yaml'),
    `name: tiny
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
`,
  );
  await writeFile(
    join(dir, 'aiq.config.yaml'),
    `provider: tiny\nmodel: tiny\nproviders: { tiny: { baseURL: '${server.provider.baseURL}' } }\n`,
  );
}

async function produce(queue: JobQueue): Promise<void> {
  const agent = await loadAgent('tiny', [join(dir, 'agents')]);
  const { name, digest, queue: queueName } = agent;
  for (let first = 0; first < jobs; ) {
    if (first - server.calls() > aheadMax) {
      await sleep(sampleMs);
      continue;
    }
    const end = Math.min(jobs, first + batchJobs);
    const batch = Array.from({ length: end - first }, (_, index) =>
      newJob({
        agent: name,
        agentDigest: digest,
        queue: queueName,
        input: { text: `Question ${first + index}?` },
        source: `question-${first + index}`,
      }),
    );
    await queue.enqueue(batch);
    first = end;
  }
}

function start(): ChildProcess {
  const { concurrency } = values;
  const child = spawn(process.execPath, [bin, 'run', '-q', '--concurrency', concurrency], {
    cwd: dir,
    env: { PATH: process.env['PATH'], HOME: dir, NO_COLOR: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  consumer = child;
  return child;
}

/** Once nothing is left to do. */
async function settled(queue: JobQueue): Promise<{ done: number; dead: number }> {
  for (;;) {
    const [counts] = (await queue.stats(['tiny'])).queues;
    const { ready = 0, delayed = 0, leased = 0, done = 0, dead = 0 } = counts ?? {};
    if (ready + delayed + leased === 0) return { done, dead };
    await sleep(sampleMs);
  }
}

/** Resident memory, in MiB. */
async function memoryOf(pid = 0): Promise<number> {
  const found: number[] = [];
  for (let count = 0; count < samplesPerStep; count++) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    found.push((Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024) / mebibyte);
    await sleep(sampleMs / 5);
  }
  return median(found);
}
