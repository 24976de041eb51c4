/**
 * What `aiq run` holds over many jobs: its memory at steps, in a process of its own that works on tiny
 * jobs, and what the second half of the jobs adds.
 */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Agent, loadAgent } from '../../core/agent/index.ts';
import { type JobQueue, newJobFor, openQueue } from '../../core/job-queue/index.ts';
import { median, print } from '../measure/figures.ts';
import { memoryBytesOf } from '../measure/processes.ts';
import { withFolder } from '../measure/temporary.ts';
import { agentName, doneJobs, runConsumer, writeProject } from './aiq.ts';
import { startModel } from './model-process.ts';

const mebibyte = 1024 * 1024;
const growthMiBMax = 10;
const steps = 20;
const batchJobs = 500;
/** So many jobs lie ahead of the consumer: enough that it never waits. */
const aheadMax = 4_000;
/** A step's figure is the middle of so many, because memory wavers with each collection. */
const samplesPerStep = 21;
const sampleMs = 50;
const pollMs = 250;

export interface MemoryResult {
  /** Resident memory after each twentieth of the jobs, MiB. */
  readonly mebibytes: readonly number[];
  readonly mostMiB: number;
  /** What the second half of the jobs adds. */
  readonly growthMiB: number;
}

export function measureMemory(jobs: number, concurrency: number): Promise<MemoryResult> {
  return withFolder((dir) => measureIn(dir, jobs, concurrency));
}

async function measureIn(dir: string, jobs: number, concurrency: number): Promise<MemoryResult> {
  const model = await startModel(0);
  let consumer: ChildProcess | undefined;
  try {
    await writeProject(dir, model.provider);
    const queue = await openQueue({
      broker: `file:${join(dir, '.aiq')}`,
      tokenFile: null,
      clientName: 'bench',
    });
    const agent = await loadAgent(agentName, [join(dir, 'agents')]);
    const producing = produce(queue, agent, jobs);
    consumer = runConsumer(dir, concurrency);
    const mebibytes = await steadily(queue, consumer, jobs);
    await producing;
    consumer.kill('SIGTERM');
    const [code] = (await once(consumer, 'exit')) as [number | null];
    await queue.shutdown();
    await queue.close();
    if (code !== 0) throw new Error(`aiq run ended with ${code}`);
    const growthMiB = (mebibytes[steps - 1] ?? 0) - (mebibytes[steps / 2 - 1] ?? 0);
    const verdict = growthMiB < growthMiBMax ? 'reached' : 'MISSED';
    print(
      `  the last ${jobs / 2} jobs add ${growthMiB.toFixed(1)} MiB; less than ${growthMiBMax}: ${verdict}`,
    );
    return { mebibytes, mostMiB: Math.max(...mebibytes), growthMiB };
  } finally {
    consumer?.kill('SIGKILL');
    model.stop();
  }
}

/** Memory at each step, as soon as so many jobs are done. */
async function steadily(queue: JobQueue, consumer: ChildProcess, jobs: number): Promise<number[]> {
  const startMs = performance.now();
  const found: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const target = Math.floor((jobs * step) / steps);
    while ((await doneJobs(queue)) < target) {
      if (consumer.exitCode !== null) throw new Error(`aiq run ended with ${consumer.exitCode}`);
      await sleep(pollMs);
    }
    const perSecond = (target * 1_000) / (performance.now() - startMs);
    const mebibytes = await memoryOf(consumer.pid ?? 0);
    found.push(mebibytes);
    print(`  ${target} jobs: ${mebibytes.toFixed(1)} MiB, ${perSecond.toFixed(0)} jobs a second`);
  }
  return found;
}

async function produce(queue: JobQueue, agent: Agent, jobs: number): Promise<void> {
  for (let first = 0; first < jobs; ) {
    if (first - (await doneJobs(queue)) > aheadMax) {
      await sleep(pollMs);
      continue;
    }
    const end = Math.min(jobs, first + batchJobs);
    const batch = Array.from({ length: end - first }, (_, index) =>
      newJobFor(agent, { input: { text: `Question ${first + index}?` } }),
    );
    await queue.enqueue(batch);
    first = end;
  }
}

/** Resident memory, in MiB. */
async function memoryOf(pid: number): Promise<number> {
  const found: number[] = [];
  for (let count = 0; count < samplesPerStep; count++) {
    found.push(memoryBytesOf(pid) / mebibyte);
    await sleep(sampleMs);
  }
  return median(found);
}
