/** `npm run test:soak`: prints what happens and the figures, and ends with 1 when a promise was broken. */

import { parseArgs } from 'node:util';
import { print } from '../../bench/measure/figures.ts';
import { type SoakReport, soak } from './soak.ts';

const slopeMax = 2;
/** Below it what a fresh process takes in its first minutes would be taken for growth. */
const minutesForSlope = 8;
const mebibyte = 1024 * 1024;

const options = {
  minutes: { type: 'string', default: '10' },
  seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
  kills: { type: 'string', default: '20' },
  moves: { type: 'string', default: '5' },
} as const;

function count(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new TypeError(`--${name} takes a whole number up to 999999999, not "${text}"`);
}

function show(report: SoakReport, minutes: number): number {
  const { memoryMiB, problems } = report;
  const { least, most, slope } = memoryMiB;
  print(
    `${report.accepted} accepted, ${report.acked} acknowledged; ${report.kills} kills, ${report.moves} moves ` +
      `(${report.left} brokers left a folder that was moved), ${report.starts} starts`,
  );
  print(
    `memory in the second half ${least.toFixed(0)} to ${most.toFixed(0)} MiB, ${slope.toFixed(2)} MiB a minute (at most ${slopeMax}); ` +
      `log at rest ${(report.logBytes / mebibyte).toFixed(1)} MiB, ${(report.logLiveBytes / mebibyte).toFixed(1)} needed`,
  );
  const isJudged = minutes >= minutesForSlope;
  if (!isJudged) print(`below ${minutesForSlope} minutes the growth is not judged`);
  const isSteep = isJudged && slope > slopeMax;
  for (const problem of problems) print(`! ${problem}`);
  if (isSteep) print(`! memory grows by ${slope.toFixed(2)} MiB a minute`);
  const isFine = problems.length === 0 && !isSteep;
  print(isFine ? 'all promises kept' : 'BROKEN');
  return isFine ? 0 : 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  const minutes = Math.max(1, count('minutes', values.minutes));
  const seed = count('seed', values.seed);
  const [kills, moves] = [count('kills', values.kills), count('moves', values.moves)];
  print(`${minutes} minutes, ${kills} kills and ${moves} moves in the first half, seed ${seed}`);
  const startMs = performance.now();
  const onProgress = (line: string): void =>
    print(`${((performance.now() - startMs) / 1000).toFixed(0).padStart(5)} s  ${line}`);
  const code = show(await soak({ seconds: minutes * 60, seed, kills, moves, onProgress }), minutes);
  if (code !== 0) {
    print(
      `replay with: npm run test:soak -- --minutes ${minutes} --seed ${seed} --kills ${kills} --moves ${moves}`,
    );
  }
  return code;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    if (!(error instanceof TypeError)) throw error;
    const usage = 'usage: npm run test:soak -- [--minutes N] [--seed S] [--kills N] [--moves N]';
    process.stderr.write(`error: ${error.message}\n${usage}\n`);
    process.exit(2);
  },
);
