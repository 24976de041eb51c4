/**
 * How long the command line takes to start, as a ratio to `node -e 0` on the same machine: runs
 * alternate, the minimum of each counts. `node bench/startup.ts [rounds]`
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../bin/aiq.js', import.meta.url));
const rounds = Number(process.argv[2] ?? 20);

interface Contestant {
  readonly name: string;
  /** Most times slower than `node -e 0` that we want to be. */
  readonly target: number | null;
  readonly args: (round: number) => string[];
}

const contestants: readonly Contestant[] = [
  { name: 'node -e 0', target: null, args: () => ['-e', '0'] },
  { name: 'aiq --help', target: 2, args: () => [bin, '--help'] },
  {
    name: 'aiq enqueue, one job',
    target: 6,
    args: (round) => [bin, 'enqueue', 'summarize', '--text', `Text number ${round}.`, '--quiet'],
  },
];

const cwd = mkdtempSync(join(tmpdir(), 'aiq-startup-'));
try {
  writeFileSync(join(cwd, 'aiq.config.yaml'), 'broker: file:./.aiq\n');
  // The first round starts the broker and fills the compile cache; it does not count.
  for (const { args } of contestants) timed(args(-1));
  const bestMs = contestants.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++) {
    for (const [index, { args }] of contestants.entries()) {
      bestMs[index] = Math.min(bestMs[index] ?? 0, timed(args(round)));
    }
  }
  report(bestMs);
} finally {
  timed([bin, 'broker', 'stop', '--quiet']);
  rmSync(cwd, { recursive: true, force: true });
}

/** Milliseconds from start to end of the process, which must succeed. */
function timed(args: readonly string[]): number {
  const startedMs = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
  const elapsedMs = performance.now() - startedMs;
  if (status !== 0) throw new Error(`${args.join(' ')} exited with ${status}: ${stderr}`);
  return elapsedMs;
}

function report(bestMs: readonly number[]): void {
  const baseMs = bestMs[0] ?? Number.NaN;
  process.stdout.write(`start-up, minimum of ${rounds} alternated runs\n`);
  for (const [index, { name, target }] of contestants.entries()) {
    const ms = bestMs[index] ?? Number.NaN;
    const ratio = `${(ms / baseMs).toFixed(2)}x`;
    const aim = target === null ? '' : `(target at most ${target}x)`;
    process.stdout.write(
      `  ${name.padEnd(22)}${ms.toFixed(0).padStart(5)} ms ${ratio.padStart(7)} ${aim}\n`,
    );
  }
}
