/**
 * `aiq run` beside what a user would write instead: a bounded loop around the `openai` package that
 * publishes as durably, and a BullMQ worker that does; or beside itself under a budget; or its memory over
 * very many jobs. `npm run bench -- runtime [--part duel|gate|memory] [--contestants aiq,loop,bullmq] [--repetitions 7]
 * [--latency 0,20,1000] [--concurrency 8,32,256] [--jobs N] [--json FILE]`
 */

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { median, percent, print, rangeOf } from './measure/figures.ts';
import { watchPauses } from './measure/pauses.ts';
import { hasStrace, straceCommand } from './measure/strace.ts';
import { cleanUpOnSignals } from './measure/temporary.ts';
import { machineLines } from './report/machine.ts';
import { aiq, budgeted } from './runtime/aiq.ts';
import { bullmq } from './runtime/bullmq.ts';
import type { Contestant } from './runtime/contestant.ts';
import { duel, type Performance, type Setting } from './runtime/duel.ts';
import { loop } from './runtime/loop.ts';
import { type MemoryResult, measureMemory } from './runtime/memory.ts';

/** Of a duel without latency: some seconds of work. */
const jobsMax = 1_000;
/** With it: at most so long for whoever only waits, and so many rounds at least. */
const idealMs = 3_000;
const roundsMin = 4;
/** Most that aiq may take as a multiple of the loop, by the latency of the model. */
const limits = { must: { 0: 1.2, 20: 1.1, 1000: 1.02 }, stretch: 1.05 } as const;
const memoryConcurrency = 32;
/** Of the gate: jobs a second under a budget as a share of those without one. */
const gate = { concurrency: 32, jobs: 1_000, shareMin: 0.9 };
const memoryMiB = { must: 250, stretch: 150 };

cleanUpOnSignals();

const { values } = parseArgs({
  options: {
    part: { type: 'string', default: 'duel' },
    repetitions: { type: 'string', default: '7' },
    latency: { type: 'string', default: '0,20,1000' },
    concurrency: { type: 'string', default: '8,32,256' },
    /** Of the memory part; and of each duel, instead of what suits it. */
    jobs: { type: 'string' },
    contestants: { type: 'string', default: 'aiq,loop,bullmq' },
    json: { type: 'string' },
  },
});

if (values.part === 'duel') await duels();
else if (values.part === 'gate') await costOfGate();
else if (values.part === 'memory') await memory();
else {
  process.stderr.write(`error: there is no part "${values.part}"; there are: duel, gate, memory\n`);
  process.exitCode = 2;
}

interface Found extends Setting {
  readonly performances: readonly Performance[];
}

async function duels(): Promise<void> {
  const machine = await machineLines();
  print(machine.join('\n'));
  if (!hasStrace()) print(`system calls: not counted, strace is not here: ${straceCommand}`);
  const names = values.contestants.split(',');
  const contestants = [aiq, loop, bullmq].filter(({ name }) => names.includes(name)).filter(isHere);
  const pauses = watchPauses();
  const found: Found[] = [];
  for (const latencyMs of numbers(values.latency)) {
    for (const concurrency of numbers(values.concurrency)) {
      const jobs = Number(values.jobs ?? jobsFor(latencyMs, concurrency));
      const setting = { latencyMs, concurrency, jobs, repetitions: Number(values.repetitions) };
      const performances = await duel(contestants, setting, pauses);
      found.push({ ...setting, performances });
      printDuel({ ...setting, performances });
    }
  }
  pauses.stop();
  print(['', ...found.map(verdictOf)].join('\n'));
  await writeJson({ machine, duels: found });
}

function isHere({ title, missing }: Contestant): boolean {
  if (missing !== null) print(`${title}: not here; ${missing}`);
  return missing === null;
}

function numbers(text: string): number[] {
  return text.split(',').map(Number);
}

function jobsFor(latencyMs: number, concurrency: number): number {
  if (latencyMs === 0) return jobsMax;
  const inTime = Math.floor(idealMs / latencyMs) * concurrency;
  return Math.max(roundsMin * concurrency, Math.min(jobsMax, inTime));
}

function printDuel({ latencyMs, concurrency, jobs, performances }: Found): void {
  print(
    `\n${jobs} jobs, ${concurrency} at once, ${latencyMs} ms of the model; the ideal is ${Math.ceil(jobs / concurrency) * latencyMs} ms`,
  );
  const aiqMs = performances.find(({ name }) => name === 'aiq')?.ms ?? [];
  for (const { name, ms, paused, peakMiB, calls } of performances) {
    const ratios = aiqMs.map((one, at) => one / (ms[at] ?? Number.NaN));
    const against = name === 'aiq' ? '' : `   aiq takes ${rangeOf(ratios, 2)} ×`;
    const counted = calls === null ? '' : `, ${calls.toFixed(1)} system calls a job`;
    print(
      `  ${name.padEnd(7)} ${rangeOf(ms)} ms, peak ${peakMiB.toFixed(0)} MiB${counted}, paused ${percent(median(paused))}${against}`,
    );
  }
}

/** Against the loop. */
function verdictOf({ latencyMs, concurrency, performances }: Found): string {
  const [aiqMs, loopMs] = ['aiq', 'loop'].map(
    (name) => performances.find((one) => one.name === name)?.ms ?? [],
  ) as [readonly number[], readonly number[]];
  const ratio = median(aiqMs.map((ms, at) => ms / (loopMs[at] ?? Number.NaN)));
  const must = Object.entries(limits.must).find(([ms]) => Number(ms) === latencyMs)?.[1];
  const verdict = (limit: number): string => `≤ ${limit} ${ratio <= limit ? 'met' : 'MISSED'}`;
  const musts = must === undefined ? '' : `, must ${verdict(must)}`;
  return `${latencyMs} ms, ${concurrency} at once: ${ratio.toFixed(2)} × the loop's time${musts}, stretch ${verdict(limits.stretch)}`;
}

/** What budgets take: each call holds what it can cost before it is sent. */
async function costOfGate(): Promise<void> {
  const machine = await machineLines();
  const jobs = Number(values.jobs ?? gate.jobs);
  const setting = { latencyMs: 0, concurrency: gate.concurrency, jobs };
  const repetitions = Number(values.repetitions);
  print([...machine, `${jobs} jobs, ${gate.concurrency} at once, no latency`].join('\n'));
  const pauses = watchPauses();
  const performances = await duel([aiq, budgeted], { ...setting, repetitions }, pauses);
  pauses.stop();
  for (const { name, ms, serverMicros, paused } of performances) {
    const rates = ms.map((one) => (jobs / one) * 1000);
    print(
      `  ${name.padEnd(7)} ${rangeOf(rates)} jobs a second, ${rangeOf(serverMicros)} µs of the broker a job, paused ${percent(median(paused))}`,
    );
  }
  const [bareMs = [], budgetMs = []] = performances.map(({ ms }) => ms);
  const shares = bareMs.map((one, at) => one / (budgetMs[at] ?? Number.NaN));
  const verdict = median(shares) >= gate.shareMin ? 'met' : 'MISSED';
  print(`under a budget: ${rangeOf(shares, 2)} of the rate, must ≥ ${gate.shareMin} ${verdict}`);
  await writeJson({ machine, ...setting, performances });
}

async function memory(): Promise<void> {
  const machine = await machineLines();
  const jobs = Number(values.jobs ?? 100_000);
  print([...machine, `${jobs} jobs, ${memoryConcurrency} at once`].join('\n'));
  const result: MemoryResult = await measureMemory(jobs, memoryConcurrency);
  const verdict = (limit: number): string =>
    `≤ ${limit} MiB ${result.mostMiB <= limit ? 'met' : 'MISSED'}`;
  print(
    `at most ${result.mostMiB.toFixed(0)} MiB: must ${verdict(memoryMiB.must)}, stretch ${verdict(memoryMiB.stretch)}`,
  );
  await writeJson({ machine, jobs, ...result });
}

async function writeJson(data: object): Promise<void> {
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify(data, null, 1));
}
