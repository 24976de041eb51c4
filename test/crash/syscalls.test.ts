/**
 * SIGKILL at every call that a broker makes on its log, one run for each: while it appends, rotates,
 * compacts, stops and recovers. Afterwards everything that it had answered must be there, nothing
 * else may be broken, and a second recovery must find what the first one found.
 *
 * All of them, or some: `npm run test:crash -- --syscalls [--from N] [--count M]`.
 */

import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FoundJob, scriptedJob } from './syscalls/script.ts';
import { type Boundary, callsBelow, hasStrace, runKilling, runNoting } from './syscalls/trace.ts';

const isWhole = process.env['AIQ_CRASH_SYSCALLS'] === '1';
const from = Number(process.env['AIQ_CRASH_FROM'] ?? 1);
const count = Number(process.env['AIQ_CRASH_COUNT'] ?? Number.POSITIVE_INFINITY);
/** What a run of all tests takes, spread over the whole script. */
const shareCount = 15;
const boundaryMs = 20_000;

const script = fileURLToPath(new URL('./syscalls/script.ts', import.meta.url));
const execute = promisify(execFile);
let base: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'aiq-syscalls-'));
});

afterEach(() => rm(base, { recursive: true, force: true }));

/** One of the two lives that are killed, with the calls that it makes when it is not. */
interface Scenario {
  readonly what: 'whole' | 'short';
  /** Copied before each run; null to begin with nothing. */
  readonly template: string | null;
  readonly dir: string;
  readonly boundaries: readonly Boundary[];
  readonly paths: readonly string[];
  /** What the life before had been answered. */
  readonly before: readonly string[];
}

interface Case {
  readonly scenario: Scenario;
  readonly boundary: Boundary;
  /** Its number for `--from`. */
  readonly number: number;
}

async function noted(scenario: Pick<Scenario, 'what' | 'template' | 'before'>): Promise<Scenario> {
  const dir = join(base, scenario.what);
  await begin(dir, scenario.template);
  const traceFile = join(base, 'trace');
  const { lines, signal } = await runNoting(traceFile, [script, scenario.what, dir, scenario.what]);
  expect([signal, lines.at(-1)]).toEqual([null, 'end']);
  return { ...scenario, dir, ...(await callsBelow(join(dir, 'log'), traceFile)) };
}

async function begin(dir: string, template: string | null): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  if (template !== null) await cp(template, dir, { recursive: true });
}

/** A whole life from nothing, and a short one on a folder whose broker was killed in the middle. */
async function scenarios(): Promise<Scenario[]> {
  const whole = await noted({ what: 'whole', template: null, before: [] });
  const calls = new Set(whole.boundaries.map(({ syscall }) => syscall));
  expect(calls, 'compaction removes segments').toContain('unlink');
  const syncs = whole.boundaries.filter(({ syscall }) => syscall === 'fdatasync');
  const middle = syncs[Math.floor(syncs.length / 2)]!;
  await begin(whole.dir, null);
  const { lines } = await runKilling(middle, whole.paths, [script, 'whole', whole.dir, 'whole']);
  const template = join(base, 'killed');
  await cp(whole.dir, template, { recursive: true, filter: (path) => !path.endsWith('.sock') });
  return [whole, await noted({ what: 'short', template, before: lines })];
}

function chosen(cases: readonly Case[]): readonly Case[] {
  if (isWhole) return cases.slice(from - 1, from - 1 + count);
  const step = cases.length / shareCount;
  return Array.from({ length: shareCount }, (_, index) => cases[Math.floor(index * step)]!);
}

/** Kills there; returns whether the kill came, which it may not where timers decide. */
async function killedAt({ scenario, boundary }: Case): Promise<boolean> {
  const { what, template, dir, paths, before } = scenario;
  await begin(dir, template);
  const { lines, signal } = await runKilling(boundary, paths, [script, what, dir, what]);
  const first = await recovered(dir);
  expectKept(first, [...before, ...lines]);
  const second = await recovered(dir);
  expect(stateOf(second)).toEqual(stateOf(first));
  return signal === 'SIGKILL';
}

type Found = ReadonlyMap<string, FoundJob>;

/**
 * All jobs of a folder as a broker tells them. A process of its own for each: V8 loses count of its code
 * pages, and ends the process, where threads that strip types come and go dozens of times (nodejs/node#64500).
 */
async function recovered(dir: string): Promise<Found> {
  const { stdout } = await execute(process.execPath, [script, 'found', dir, 'none'], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const jobs = stdout.split('\n').filter((line) => line.startsWith('{'));
  return new Map(jobs.map((line) => JSON.parse(line) as FoundJob).map((job) => [job.info.id, job]));
}

/** What was answered is there, and every job is one of the script's, with its own body. */
function expectKept(found: Found, lines: readonly string[]): void {
  for (const line of lines) {
    const [word, id = ''] = line.split(' ');
    if (word === 'accepted') expect([id, found.has(id)]).toEqual([id, true]);
    if (word === 'done') expect([id, found.get(id)?.info.state]).toEqual([id, 'done']);
  }
  for (const [id, { info, body }] of found) {
    const [life = '', number = ''] = info.source.split('-');
    const job = scriptedJob(life, Number(number));
    expect(id).toBe(job.id);
    if (info.state !== 'done') expect(body).toBe(Buffer.from(job.body).toString());
  }
}

/** Leases are given up in time, so a job that was leased may be ready at the next look. */
function stateOf(found: Found): [id: string, state: string][] {
  return [...found]
    .map(([id, { info }]): [string, string] => [id, info.state === 'leased' ? 'ready' : info.state])
    .toSorted(([one], [other]) => (one < other ? -1 : 1));
}

test.skipIf(!hasStrace)(
  'SIGKILL at the calls on the log loses nothing that was answered (left out: install strace with apt-get install -y --no-install-recommends strace)',
  async () => {
    const all = (await scenarios())
      .flatMap((scenario) => scenario.boundaries.map((boundary) => ({ scenario, boundary })))
      .map((one, index): Case => ({ ...one, number: index + 1 }));
    const wanted = chosen(all);
    expect(wanted.length).toBeGreaterThan(0);
    let killed = 0;
    for (const one of wanted) {
      try {
        if (await killedAt(one)) killed++;
        if (isWhole && one.number % 25 === 0) console.log(`${one.number} of ${all.length} passed`);
      } catch (error) {
        const { syscall, when } = one.boundary;
        console.log(
          `failed at ${syscall} ${when} of the ${one.scenario.what} script; ` +
            `replay with: npm run test:crash -- --syscalls --from ${one.number} --count 1`,
        );
        throw error;
      }
    }
    console.log(
      `${wanted.length} of ${all.length} calls on the log: ${killed} killed there, ` +
        `${wanted.length - killed} not reached in that run; ${wanted.length} passed`,
    );
    // Where a timer decides, a run may make a call less; most must have been reached.
    expect(killed).toBeGreaterThan(wanted.length / 2);
  },
  isWhole ? 3_600_000 : 60_000 + shareCount * boundaryMs,
);
