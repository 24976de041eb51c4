/** Contestants on the same jobs, in turns: the time they take, their memory, their system calls. */

import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PauseWatch } from '../measure/pauses.ts';
import { cpuMicrosOf, peakBytesOf } from '../measure/processes.ts';
import { countCalls, hasStrace } from '../measure/strace.ts';
import { withFolder } from '../measure/temporary.ts';
import type { Contestant, Running } from './contestant.ts';
import { type ModelProcess, startModel } from './model-process.ts';

export interface Setting {
  readonly latencyMs: number;
  readonly concurrency: number;
  readonly jobs: number;
  readonly repetitions: number;
}

/** Of one contestant in one setting. */
export interface Performance {
  readonly name: string;
  /** From the hand-over to the last acknowledgement, of each repetition. */
  readonly ms: readonly number[];
  readonly paused: readonly number[];
  /** Processor time of the server behind it for each job, in microseconds; empty where there is none. */
  readonly serverMicros: readonly number[];
  /** The most that the consumer's process ever had, MiB. */
  readonly peakMiB: number;
  /** System calls of the consumer for each job; null when not counted. */
  readonly calls: number | null;
}

const warmUpJobs = 200;
const countedJobs = 300;
const mebibyte = 1024 * 1024;

interface Lane {
  readonly contestant: Contestant;
  readonly running: Running;
  readonly ms: number[];
  readonly paused: number[];
  readonly serverMicros: number[];
  made: number;
}

/** Lane after lane, again and again; all are warm, and those that wait cost nothing. */
export function duel(
  contestants: readonly Contestant[],
  setting: Setting,
  pauses: PauseWatch,
): Promise<Performance[]> {
  return withFolder((dir) => duelIn(dir, { contestants, setting, pauses }));
}

interface Duel {
  readonly contestants: readonly Contestant[];
  readonly setting: Setting;
  readonly pauses: PauseWatch;
}

async function duelIn(dir: string, { contestants, setting, pauses }: Duel): Promise<Performance[]> {
  const model = await startModel(setting.latencyMs);
  const lanes: Lane[] = [];
  try {
    for (const contestant of contestants) {
      lanes.push(await startLane(contestant, setting, { dir, model }));
    }
    for (let repetition = 0; repetition < setting.repetitions; repetition++) {
      for (const lane of lanes) {
        const before = serverMicrosOf(lane);
        pauses.lap();
        lane.ms.push(await timed(lane, setting.jobs));
        lane.paused.push(pauses.lap());
        const after = serverMicrosOf(lane);
        lane.serverMicros.push(...after.map((one, at) => (one - (before[at] ?? 0)) / setting.jobs));
      }
    }
    const found: Performance[] = [];
    for (const lane of lanes) found.push(await finish(lane));
    return found;
  } finally {
    for (const { running } of lanes) await running.stop();
    model.stop();
  }
}

interface Place {
  readonly dir: string;
  readonly model: ModelProcess;
}

async function startLane(
  contestant: Contestant,
  { concurrency, jobs }: Setting,
  { dir, model }: Place,
): Promise<Lane> {
  const own = join(dir, contestant.name);
  await mkdir(own);
  const running = await contestant.start({ dir: own, provider: model.provider, concurrency });
  const lane: Lane = { contestant, running, ms: [], paused: [], serverMicros: [], made: 0 };
  await timed(lane, Math.min(warmUpJobs, jobs));
  return lane;
}

/** Processor time so far; empty where there is no server. */
function serverMicrosOf({ running: { serverPid } }: Lane): number[] {
  return serverPid === null ? [] : [cpuMicrosOf(serverPid)];
}

async function timed(lane: Lane, jobs: number): Promise<number> {
  const texts = Array.from({ length: jobs }, (_, at) => `Is ${lane.made + at} a number?`);
  lane.made += jobs;
  const startMs = performance.now();
  await lane.running.run(texts);
  return performance.now() - startMs;
}

/** Memory first: counting calls is no part of the work. A faster run that lost files would be no win. */
async function finish(lane: Lane): Promise<Performance> {
  const { contestant, running, ms, paused, serverMicros } = lane;
  const peakMiB = peakBytesOf(running.pid) / mebibyte;
  const work = async (): Promise<void> => void (await timed(lane, countedJobs));
  const calls = hasStrace() ? (await countCalls(running.pid, work)) / countedJobs : null;
  const files = (await readdir(running.outputDir)).filter((name) => name.endsWith('.txt'));
  const written = files.filter((name) => !name.startsWith('.')).length;
  if (written !== lane.made)
    throw new Error(`${contestant.title} wrote ${written} files of ${lane.made}`);
  return { name: contestant.name, ms, paused, serverMicros, peakMiB, calls };
}
