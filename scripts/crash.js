/** `npm run test:crash -- [options]`: the programmes that end processes with kill -9, as long as asked for. */

import { parseArgs } from 'node:util';
import { exited, runTool } from './tools.js';

const usage = `usage: npm run test:crash -- [--rounds N] [--cycles N [--threads T] [--bench] [--resume]] [--losses N] [--seed S]
       npm run test:crash -- --outputs N [--seed S]
       npm run test:crash -- --syscalls [--from N] [--count N]
       npm run test:crash -- --damage [--seed S]`;

/**
 * Rounds kill the consumer and the broker of a whole pipeline; cycles kill a loaded broker; losses
 * kill one consumer after the other over the same jobs; outputs kill `aiq run` while it writes results.
 */
const options = /** @type {const} */ ({
  rounds: { type: 'string' },
  cycles: { type: 'string' },
  threads: { type: 'string' },
  losses: { type: 'string' },
  outputs: { type: 'string' },
  seed: { type: 'string' },
  resume: { type: 'boolean' },
  bench: { type: 'boolean' },
  syscalls: { type: 'boolean' },
  damage: { type: 'boolean' },
  from: { type: 'string' },
  count: { type: 'string' },
});

const programmes = /** @type {const} */ ({
  rounds: 'test/crash/kill.test.ts',
  cycles: 'test/crash/broker-cycles.test.ts',
  losses: 'test/crash/lost-consumer.test.ts',
  outputs: 'test/crash/outputs.test.ts',
  syscalls: 'test/crash/syscalls.test.ts',
  damage: 'test/integration/broker/log/damage.test.ts',
});

/**
 * @param {string[]} args
 * @param {{ root: string, env: NodeJS.ProcessEnv }} on
 * @returns {Promise<import('./tools.js').End>}
 */
export async function crash(args, { root, env }) {
  try {
    const { values } = parseArgs({ args, options });
    const wanted = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        `AIQ_CRASH_${name.toUpperCase()}`,
        typeof value === 'string' ? number(name, value) : '1',
      ]),
    );
    return await runTool('vitest', ['run', ...filesFor(values)], {
      root,
      env: { ...env, ...wanted },
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`error: ${error.message}\n${usage}\n`);
    return exited(2);
  }
}

/**
 * The programmes that were named, or all.
 *
 * @param {Partial<Record<keyof typeof programmes, unknown>>} values
 * @returns {string[]}
 */
function filesFor(values) {
  const named = Object.entries(programmes).filter(
    ([name]) => values[/** @type {keyof typeof programmes} */ (name)] !== undefined,
  );
  return (named.length === 0 ? Object.entries(programmes) : named).map(([, file]) => file);
}

/**
 * @param {string} name
 * @param {string} text
 * @returns {string}
 * @throws {TypeError} like the parser's own
 */
function number(name, text) {
  if (/^[1-9]\d{0,8}$/.test(text)) return text;
  throw new TypeError(`--${name} takes a whole number from 1 to 999999999, not "${text}"`);
}
