/**
 * `npm run test:money`: budgets under load, seed by seed, or with `--costs` what calls cost over all faults
 * of a server; prints what was counted, and ends with 1 when anything was wrong.
 */

import { parseArgs } from 'node:util';
import { percent, print } from '../../bench/measure/figures.ts';
import { type CapReport, type Counted, capDrill } from './cap.ts';
import { costsDrill } from './costs.ts';

const killEvery = { consumerMs: 2_000, brokerMs: 10_000 };
const unrestMs = { first: 25_000, again: 12_000 };

const options = {
  seeds: { type: 'string', default: '3' },
  seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
  jobs: { type: 'string' },
  plain: { type: 'boolean', default: false },
  costs: { type: 'boolean', default: false },
} as const;

function count(name: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new TypeError(`--${name} takes a whole number from 1 to 999999999, not "${text}"`);
}

function show(seed: number, report: CapReport): void {
  const { seconds, calls, fates, looks, capMicros, atCap, atEnd, problems } = report;
  const share = (micros: number): string => percent(micros / capMicros);
  const counted = ({ billedMicros, settledMicros, heldMicros, unknownMicros }: Counted): string =>
    `billed ${share(billedMicros)}, settled ${share(settledMicros)}, held ${share(heldMicros)}, unknown ${share(unknownMicros)}`;
  const met = [...fates].map(([fate, number]) => `${fate} ${number}`).join(', ');
  print(
    `seed ${seed}: ${seconds.toFixed(0)} s, ${calls} calls (${met}), ${report.consumerKills} consumers and ` +
      `${report.brokerKills} brokers killed, ${looks} looks`,
  );
  print(`    at the cap of ${capMicros}: ${counted(atCap)}, ${atCap.parked} jobs wait`);
  print(`    after the raise: ${counted(atEnd)}, ${atEnd.done} done, ${atEnd.dead} dead`);
  for (const problem of problems) print(`    ! ${problem}`);
  print(`    ${problems.length === 0 ? 'good' : 'WRONG'}`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
  const jobs = count('jobs', values.jobs ?? (values.costs ? '1000' : '500'));
  if (values.costs) return costs(jobs, stop.signal);
  const [seeds, first] = [count('seeds', values.seeds), count('seed', values.seed)];
  const isPlain = values.plain;
  let wrong = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const signal = stop.signal;
    const report = await capDrill({ seed, jobs, isPlain, killEvery, unrestMs, signal });
    show(seed, report);
    if (report.problems.length === 0) continue;
    wrong += 1;
    const plain = isPlain ? ' --plain' : '';
    print(`replay with: npm run test:money -- --seeds 1 --seed ${seed} --jobs ${jobs}${plain}`);
  }
  print(`\n${seeds - wrong} of ${seeds} seeds good`);
  return wrong === 0 ? 0 : 1;
}

async function costs(jobs: number, signal: AbortSignal): Promise<number> {
  const report = await costsDrill(jobs, signal);
  const { faults, calls, counted, countedMicros, settledMicros, unknownCalls, problems } = report;
  print(
    `${jobs} jobs over ${faults} faults, ${calls} calls: ${counted} said what they used, in all ${countedMicros} millionths; ` +
      `aiq costs has ${settledMicros}, and ${unknownCalls} calls of unknown cost`,
  );
  for (const problem of problems) print(`    ! ${problem}`);
  print(problems.length === 0 ? 'good' : 'WRONG');
  return problems.length === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    if (!(error instanceof TypeError)) throw error;
    const usage =
      'usage: npm run test:money -- [--seeds N] [--seed S] [--jobs N] [--plain | --costs]';
    process.stderr.write(`error: ${error.message}\n${usage}\n`);
    process.exit(2);
  },
);
