/** `npm run test:crash -- [--rounds N] [--cycles N] [--seed S]`: kill -9 alone, as often as asked for. */

import { parseArgs } from 'node:util';
import { exited, runTool } from './tools.js';

/** Rounds kill the consumer and the broker of a whole pipeline; cycles kill a loaded broker. */
const options = /** @type {const} */ ({
  rounds: { type: 'string' },
  cycles: { type: 'string' },
  seed: { type: 'string' },
});

/**
 * @param {string[]} args
 * @param {{ root: string, env: NodeJS.ProcessEnv }} on
 * @returns {Promise<import('./tools.js').End>}
 */
export async function crash(args, { root, env }) {
  try {
    const { values } = parseArgs({ args, options });
    const wanted = {
      ...(values.rounds === undefined ? {} : { AIQ_CRASH_ROUNDS: count('rounds', values.rounds) }),
      ...(values.cycles === undefined ? {} : { AIQ_CRASH_CYCLES: count('cycles', values.cycles) }),
      ...(values.seed === undefined ? {} : { AIQ_CRASH_SEED: count('seed', values.seed) }),
    };
    const files = filesFor(values);
    return await runTool('vitest', ['run', '--project', 'end-to-end', ...files], {
      root,
      env: { ...env, ...wanted },
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const usage = 'usage: npm run test:crash -- [--rounds N] [--cycles N] [--seed S]';
    process.stderr.write(`error: ${error.message}\n${usage}\n`);
    return exited(2);
  }
}

/**
 * The programme that a number was asked for, or both.
 *
 * @param {{ rounds?: string, cycles?: string }} values
 * @returns {string[]}
 */
function filesFor({ rounds, cycles }) {
  const both = rounds === undefined && cycles === undefined;
  return [
    ...(both || rounds !== undefined ? ['test/crash/kill.test.ts'] : []),
    ...(both || cycles !== undefined ? ['test/crash/broker-cycles.test.ts'] : []),
  ];
}

/**
 * @param {string} name
 * @param {string} text
 * @returns {string}
 * @throws {TypeError} like the parser's own
 */
function count(name, text) {
  if (/^[1-9]\d{0,5}$/.test(text)) return text;
  throw new TypeError(`--${name} takes a whole number from 1 to 999999, not "${text}"`);
}
