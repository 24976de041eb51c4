/**
 * `npm run test:hostile`: every attack in turn against a broker of its own, beside a good client; one
 * line for each, and 1 as exit code when a bound was broken.
 */

import { parseArgs } from 'node:util';
import { print } from '../../bench/measure/figures.ts';
import type { Attack } from './attack.ts';
import { attacks } from './attacks.ts';
import { measure, type Outcome } from './measure.ts';

const bounds = { duringMiB: 400, restedMiB: 200, restSeconds: 60 };
/** Slower than this beside a process that takes as much and speaks to nobody, an attack succeeded. */
const factorMax = 3;

const options = {
  only: { type: 'string', multiple: true, default: [] as string[] },
  windows: { type: 'string', default: '7' },
  seconds: { type: 'string', default: '4' },
} as const;

function wanted(names: readonly string[]): readonly Attack[] {
  const unknown = names.find((name) => !attacks.some((attack) => attack.name === name));
  if (unknown !== undefined) {
    throw new TypeError(
      `no attack is called ${unknown}; there are: ${attacks.map(({ name }) => name).join(', ')}`,
    );
  }
  return names.length === 0 ? attacks : attacks.filter(({ name }) => names.includes(name));
}

function count(name: string, text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new TypeError(`--${name} takes a whole number from 1 to 9999, not "${text}"`);
}

const ms = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));

function show({ does }: Attack, outcome: Outcome): void {
  const { attack, quiet, during, factor, peakMiB, restedAfterSeconds, problems } = outcome;
  const times = ({ p50, p99, max }: Outcome['quiet']): string =>
    `${ms(p50)}/${ms(p99)}/${ms(max)}`.padStart(18);
  const rested = restedAfterSeconds === null ? 'never' : `${restedAfterSeconds.toFixed(0)} s`;
  const verdict = isFine(outcome) ? 'held' : 'BROKEN';
  const told = Object.entries(outcome.counts).map(([what, number]) => `${what} ${number}`);
  print(
    `${attack.padEnd(14)}${times(quiet)}${times(during)}${factor.toFixed(2).padStart(8)} ` +
      `${peakMiB.toFixed(0).padStart(6)} ${rested.padStart(8)} ${`${outcome.newcomers.served}`.padStart(6)}  ${verdict}`,
  );
  print(`    ${does}${told.length === 0 ? '' : ` (${told.join(', ')})`}`);
  for (const problem of problems) print(`    ! ${problem}`);
  if (factor > factorMax) print(`    ! the p99 is ${factor.toFixed(1)} times the quiet one`);
}

const isFine = ({ problems, factor }: Outcome): boolean =>
  problems.length === 0 && factor <= factorMax;

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  const [windows, seconds] = [count('windows', values.windows), count('seconds', values.seconds)];
  const chosen = wanted(values.only);
  print(
    `${windows} windows of ${seconds} s with each attack, in turns with quiet ones; times of the good client as\n` +
      'p50/p99/max in ms, medians over the windows; the most memory of the broker in MiB, and how long until it rests\n',
  );
  print(
    `${'attack'.padEnd(14)}${'quiet'.padStart(18)}${'attacked'.padStart(18)}${'factor'.padStart(8)} ` +
      `${'memory'.padStart(6)} ${'rested'.padStart(8)} ${'served'.padStart(6)}  verdict`,
  );
  const broken: string[] = [];
  for (const attack of chosen) {
    const outcome = await measure(attack, { windows, seconds, bounds });
    show(attack, outcome);
    if (!isFine(outcome)) broken.push(attack.name);
  }
  const rest = broken.length === 0 ? '' : `; broken by ${broken.join(', ')}`;
  print(`\n${chosen.length - broken.length} of ${chosen.length} attacks held${rest}`);
  return broken.length === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    if (!(error instanceof TypeError)) throw error;
    const usage = 'usage: npm run test:hostile -- [--only NAME]… [--windows N] [--seconds N]';
    process.stderr.write(`error: ${error.message}\n${usage}\n`);
    process.exit(2);
  },
);
