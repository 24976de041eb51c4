/**
 * One share of a simulation: `node test/sim/main.ts --steps N SEED…` plays the seeds in order and
 * prints one line of JSON for each. `scripts/sim.js` starts one such process for each core.
 */

import { parseArgs } from 'node:util';
import { reachable } from './reach.ts';
import { simulate } from './world.ts';

const { values, positionals } = parseArgs({
  options: {
    steps: { type: 'string', default: '2000' },
    /** Print the names of all states that are counted. */
    reachable: { type: 'boolean' },
    /** End with 1 after the first seed that broke a promise. */
    bail: { type: 'boolean' },
  },
  allowPositionals: true,
});

if (values.reachable === true) process.stdout.write(`${JSON.stringify(reachable)}\n`);

for (const seed of positionals.map(Number)) {
  const startedAt = performance.now();
  const result = await simulate(seed, Number(values.steps));
  const ms = Math.round(performance.now() - startedAt);
  const line = { ...result, reached: Object.fromEntries(result.reached), ms };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  if (values.bail === true && result.violations.length > 0) {
    process.exitCode = 1;
    break;
  }
}
