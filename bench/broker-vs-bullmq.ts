/**
 * Acknowledged enqueue beside BullMQ on a Redis that syncs before it answers (`appendfsync always`):
 * one by one with 64 in flight, and in bulk. Both sides durable, in turns, repetition by repetition;
 * servers and clients in processes of their own. Needs redis-server, and says how to get it.
 * `node bench/broker-vs-bullmq.ts [repetitions] [milliseconds of each window]`
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageNames, peerPackages } from './enqueue/packages.ts';
import { type Order, type Shape, serveOrders } from './enqueue/producer.ts';
import { Runner, warmUpMs } from './enqueue/runner.ts';
import { redisCommand, redisSettings, redisVersion, type Side, sides } from './enqueue/servers.ts';
import { openAiq, openBullmq } from './enqueue/sides.ts';
import { fileSystemOf, syncsPerSecond } from './measure/disk.ts';
import { median, percent, print, rangeOf } from './measure/figures.ts';
import { type PauseWatch, watchPauses } from './measure/pauses.ts';
import { hasStrace, straceCommand, syncCalls } from './measure/sync-calls.ts';

const oneByOne: Shape = { batch: 1, calls: 64 };
/** Each side gets the one in which it was faster. */
const bulkShapes: readonly Shape[] = [
  { batch: 64, calls: 4 },
  { batch: 250, calls: 4 },
  { batch: 1000, calls: 2 },
];
const names: Readonly<Record<Side, string>> = { aiq: 'aiq', bullmq: 'BullMQ' };

if (process.send === undefined) await main();
else await produce(process.argv.slice(2));

/** The child: one client. */
async function produce([side, socket = '', folder = '', pipelining]: string[]): Promise<void> {
  const autoPipelining = pipelining === 'auto';
  serveOrders(
    side === 'aiq' ? await openAiq(socket) : await openBullmq(socket, { folder, autoPipelining }),
  );
}

async function main(): Promise<void> {
  const [repetitions = 7, runMs = 1_500] = process.argv.slice(2).map(Number);
  const redis = redisVersion();
  if (redis === null) {
    process.stderr.write(`error: redis-server is not here; bring it in with: ${redisCommand}\n`);
    process.exitCode = 1;
    return;
  }
  const folder = await peerPackages();
  const dir = await mkdtemp(join(tmpdir(), 'aiq-bench-'));
  try {
    await printSettings(dir, redis, { repetitions, runMs });
    await countSyncs(dir, folder);
    await compare(dir, folder, { repetitions, runMs });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

interface Length {
  readonly repetitions: number;
  readonly runMs: number;
}

async function printSettings(dir: string, redis: string, length: Length): Promise<void> {
  const rate = await syncsPerSecond(dir);
  print(
    [
      `${availableParallelism()} cores, Node ${process.version}, ${await fileSystemOf(dir)}, ${rate.toFixed(0)} appends of 4 KiB with fdatasync a second`,
      `jobs of 1,024 bytes of JSON, all different; Unix sockets on both sides; one client process with one connection`,
      `${length.repetitions} repetitions in turns, windows of ${length.runMs} ms after ${warmUpMs} ms, each on an empty queue`,
      `aiq: broker as the command line starts it, ids from the content, every answer after fdatasync`,
      `BullMQ: ${packageNames}; redis-server ${redis} ${redisSettings.map((word) => word || "''").join(' ')}`,
    ].join('\n'),
  );
}

/** Proves that both sides sync: with one job at a time there is no answer without a call. */
async function countSyncs(dir: string, folder: string): Promise<void> {
  if (!hasStrace()) {
    print(`sync calls: not counted, strace is not here (${straceCommand})`);
    return;
  }
  for (const side of sides) {
    const traceFile = join(dir, `${side}.trace`);
    const runner = await Runner.start(side, join(dir, `${side}-traced`), { folder, traceFile });
    const perJob = async (order: Partial<Order> & Pick<Order, 'shape'>): Promise<string> => {
      const before = await syncCalls(traceFile);
      const { all } = await runner.run({ warmUpMs: 0, ...order });
      return ((await syncCalls(traceFile)) / all - before / all).toFixed(3);
    };
    const alone = await perJob({ shape: { batch: 1, calls: 1 }, jobsMax: 100, runMs: 30_000 });
    const together = await perJob({ shape: oneByOne });
    print(
      `sync calls per acknowledged job, ${names[side]}: ${alone} one at a time, ${together} with 64 in flight`,
    );
    await runner.stop();
  }
}

async function compare(dir: string, folder: string, length: Length): Promise<void> {
  const pipelining = await fasterPipelining(dir, folder);
  print(`BullMQ: enableAutoPipelining ${pipelining === 'auto'}, the faster of both in a trial`);
  const pauses = watchPauses();
  const aiq = await Runner.start('aiq', join(dir, 'aiq'), { folder });
  const bullmq = await Runner.start('bullmq', join(dir, 'bullmq'), { folder, pipelining });
  try {
    const meter = { pauses, ...length };
    await alternate('one by one, 64 in flight', 2, {
      meter,
      lanes: [
        { runner: aiq, shape: oneByOne },
        { runner: bullmq, shape: oneByOne },
      ],
    });
    const lanes: Lane[] = [];
    for (const runner of [aiq, bullmq]) lanes.push({ runner, shape: await fasterShape(runner) });
    await alternate('in bulk', 3, { meter, lanes });
  } finally {
    pauses.stop();
    await aiq.stop();
    await bullmq.stop();
  }
}

/** The documentation of ioredis recommends it for many small commands; here it need not pay. */
async function fasterPipelining(dir: string, folder: string): Promise<'plain' | 'auto'> {
  const rates = { plain: 0, auto: 0 };
  for (const pipelining of ['plain', 'auto'] as const) {
    const runner = await Runner.start('bullmq', join(dir, `trial-${pipelining}`), {
      folder,
      pipelining,
    });
    await runner.run({ shape: oneByOne });
    rates[pipelining] = (await runner.run({ shape: oneByOne })).jobs;
    await runner.stop();
  }
  return rates.auto > rates.plain ? 'auto' : 'plain';
}

async function fasterShape(runner: Runner): Promise<Shape> {
  let best: Shape = oneByOne;
  let most = 0;
  for (const shape of bulkShapes) {
    const { jobs } = await runner.run({ shape });
    if (jobs <= most) continue;
    most = jobs;
    best = shape;
  }
  return best;
}

interface Lane {
  readonly runner: Runner;
  readonly shape: Shape;
}

interface Comparison {
  readonly meter: Length & { readonly pauses: PauseWatch };
  /** aiq and the other one. */
  readonly lanes: readonly Lane[];
}

interface Row {
  readonly perSecond: number;
  readonly clientMicros: number;
  readonly paused: number;
}

/** Lane after lane, again and again, so that whatever the machine does meets all of them. */
async function alternate(
  what: string,
  target: number,
  { meter, lanes }: Comparison,
): Promise<void> {
  const rows = lanes.map((): Row[] => []);
  for (let repetition = 0; repetition < meter.repetitions; repetition++) {
    for (const [index, { runner, shape }] of lanes.entries()) {
      meter.pauses.lap();
      const { jobs, windowMs, clientMicros } = await runner.run({ shape, runMs: meter.runMs });
      const perSecond = (jobs * 1000) / windowMs;
      rows[index]?.push({ perSecond, clientMicros, paused: meter.pauses.lap() });
    }
  }
  print(`\n${what}: acknowledged jobs a second, median [least–most]`);
  for (const [index, { runner, shape }] of lanes.entries()) {
    const own = rows[index] ?? [];
    const rates = rangeOf(own.map(({ perSecond }) => perSecond));
    const paused = percent(median(own.map((row) => row.paused)));
    const micros = median(own.map((row) => row.clientMicros)).toFixed(1);
    const how = `${shape.calls} calls of ${shape.batch}`;
    print(
      `  ${names[runner.side].padEnd(7)} ${rates}  (${how}; machine paused ${paused} of the time; client ${micros} µs of processor time a job)`,
    );
  }
  const ratios = (rows[0] ?? []).map((row, at) => row.perSecond / (rows[1]?.[at]?.perSecond ?? 0));
  const verdict = median(ratios) >= target ? 'reached' : 'MISSED';
  print(`  pairs   ${ratios.map((ratio) => ratio.toFixed(2)).join(' ')}`);
  print(`  ratio   ${rangeOf(ratios, 2)}; target ${target}: ${verdict}`);
}
