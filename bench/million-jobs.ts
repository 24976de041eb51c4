/**
 * A long backlog: memory and disk for each queued job of 1,024 bytes, and the time of a restart up to
 * the first delivery; the same when half are done and compaction ran; then the latency of another
 * queue while all of them are purged. The broker runs in a process of its own.
 * `node bench/million-jobs.ts [--jobs N]`
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { JobQueue } from '../core/job-queue/index.ts';
import { BrokerProcess } from './backlog/broker-process.ts';
import { fill, firstDelivery, workOff } from './backlog/load.ts';
import { Probe } from './backlog/probe.ts';
import { fileSystemOf } from './measure/disk.ts';
import { median, percent, print, rangeOf } from './measure/figures.ts';
import { watchPauses } from './measure/pauses.ts';

/** The backlog lies in so many queues: one is purged at a time, in turns with quiet windows. */
const pairs = 7;
const names: readonly string[] = Array.from({ length: pairs }, (_, index) => `backlog-${index}`);
const restarts = 3;
const quietMsMin = 1_000;
const compactionMs = 600_000;
/** The log's size must stand still for so long. */
const settledMs = 3_000;

const { values } = parseArgs({ options: { jobs: { type: 'string', default: '1000000' } } });
const jobs = Number(values.jobs);
if (!Number.isSafeInteger(jobs) || jobs < 2 * pairs) {
  process.stderr.write(`error: --jobs takes a whole number from ${2 * pairs} up\n`);
  process.exit(2);
}
const base = await mkdtemp(join(tmpdir(), 'aiq-bench-'));
const pauses = watchPauses();
let broker = BrokerProcess.start(join(base, '.aiq'));
try {
  await measure();
} finally {
  pauses.stop();
  await broker.end('SIGKILL');
  await rm(base, { recursive: true, force: true });
}

async function measure(): Promise<void> {
  print(
    `${jobs} jobs of 1,024 bytes in ${pairs} queues; ${availableParallelism()} cores, Node ${process.version}, ${await fileSystemOf(base)}`,
  );
  let queue = await broker.connect();
  const emptyBytes = await broker.restingBytes();
  print(`empty: ${mib(emptyBytes)} of memory`);
  for (const [from, to] of [
    [0, 0.5],
    [0.5, 1],
  ] as const) {
    const startMs = performance.now();
    await forEachQueue(async (name, count) => {
      await fill(queue, name, { first: Math.floor(count * from), end: Math.floor(count * to) });
    });
    const added = Math.floor(jobs * to) - Math.floor(jobs * from);
    print(
      `\nadded ${added}: ${((added * 1000) / (performance.now() - startMs)).toFixed(0)} a second`,
    );
    await weigh(queue, emptyBytes);
  }
  queue = await restart(queue);

  const startMs = performance.now();
  await forEachQueue((name, count) => workOff(queue, name, count >> 1));
  const done = jobs / 2;
  print(
    `\nacknowledged half: ${((done * 1000) / (performance.now() - startMs)).toFixed(0)} a second`,
  );
  print(`compaction at rest after ${await compacted(queue)} s`);
  await weigh(queue, emptyBytes);
  queue = await restart(queue);

  await purge(queue);
  print(`\npurged, compaction at rest after ${await compacted(queue)} s`);
  await weigh(queue, emptyBytes);
  await queue.close();
}

async function forEachQueue(work: (name: string, count: number) => Promise<void>): Promise<void> {
  for (const [index, name] of names.entries()) {
    await work(name, Math.floor((jobs * (index + 1)) / pairs) - Math.floor((jobs * index) / pairs));
  }
}

/** What the jobs that are there take. */
async function weigh(queue: JobQueue, emptyBytes: number): Promise<void> {
  const memoryBytes = await broker.restingBytes();
  const { logBytes, logLiveBytes, logSegments, queues } = await queue.engineStats();
  const total = (key: 'ready' | 'done' | 'cancelled'): number =>
    queues.reduce((sum, one) => sum + one[key], 0);
  const [ready, done, cancelled] = [total('ready'), total('done'), total('cancelled')];
  const known = ready + done + cancelled;
  print(
    [
      `  ${ready} queued, ${done} done, ${cancelled} cancelled`,
      `  memory ${mib(memoryBytes)}: (${memoryBytes} - ${emptyBytes}) / ${known} = ${((memoryBytes - emptyBytes) / known).toFixed(0)} bytes a job`,
      `  log ${mib(logBytes)} in ${logSegments} segments, ${mib(logLiveBytes)} of it needed: ${(logBytes / known).toFixed(0)} bytes a job`,
    ].join('\n'),
  );
}

/** From the start of the process to the first delivery, after each way to end. */
async function restart(queue: JobQueue): Promise<JobQueue> {
  let open = queue;
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const times: number[] = [];
    for (let count = 0; count < restarts; count++) {
      await open.close();
      await broker.end(signal);
      const startMs = performance.now();
      broker = BrokerProcess.start(join(base, '.aiq'));
      open = await broker.connect();
      await firstDelivery(open, names);
      times.push(performance.now() - startMs);
    }
    print(
      `  restart to the first delivery after ${signal}: ${rangeOf(times)} ms (${restarts} times)`,
    );
  }
  return open;
}

/** Waits until compaction has nothing to do: its size stands still, and little of it is dead. */
async function compacted(queue: JobQueue): Promise<string> {
  const startMs = performance.now();
  let last = -1;
  let sinceMs = startMs;
  while (performance.now() - startMs < compactionMs) {
    const { logBytes } = await queue.engineStats();
    if (logBytes !== last) sinceMs = performance.now();
    last = logBytes;
    if (performance.now() - sinceMs > settledMs) break;
    await sleep(100);
  }
  return ((sinceMs - startMs) / 1000).toFixed(1);
}

/** Windows with a purge and quiet ones in turns: the latency of a queue that has nothing to do with it. */
async function purge(queue: JobQueue): Promise<void> {
  const other = await broker.connect();
  const probe = await Probe.open(other);
  const quiet: number[] = [];
  const busy: number[] = [];
  let purgeMs = quietMsMin;
  let purged = 0;
  const quietly = async (): Promise<void> => {
    const endMs = performance.now() + Math.max(quietMsMin, purgeMs);
    quiet.push(median(await probe.sample(() => performance.now() > endMs)));
  };
  const busily = async (name: string): Promise<void> => {
    const startMs = performance.now();
    let isOver = false;
    const purging = queue.purge(name).finally(() => {
      isOver = true;
      purgeMs = performance.now() - startMs;
    });
    busy.push(median(await probe.sample(() => isOver)));
    purged += await purging;
  };
  // The first jobs of a connection are slower.
  await quietly();
  quiet.pop();
  pauses.lap();
  for (const [index, name] of names.entries()) {
    // What comes first in a pair takes turns, too.
    if (index % 2 === 0) await quietly();
    await busily(name);
    if (index % 2 === 1) await quietly();
  }
  const ratios = busy.map((ms, index) => ms / (quiet[index] ?? Number.NaN));
  print(
    [
      `\npurged ${purged} jobs in ${pairs} steps, another queue's enqueue to delivery meanwhile`,
      `  p50 in quiet windows ${rangeOf(quiet, 2)} ms, while purging ${rangeOf(busy, 2)} ms`,
      `  ratio ${rangeOf(ratios, 2)} pair by pair; at most 2: ${median(ratios) <= 2 ? 'reached' : 'MISSED'}; machine paused ${percent(pauses.lap())} of the time`,
    ].join('\n'),
  );
  await probe.close();
  await other.close();
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
}
