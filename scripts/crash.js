/** `npm run test:crash -- [--rounds N] [--seed S]`: the kill -9 rounds alone, as many as asked for. */

import { parseArgs } from 'node:util';
import { exited, runTool } from './tools.js';

const options = /** @type {const} */ ({ rounds: { type: 'string' }, seed: { type: 'string' } });

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
      ...(values.seed === undefined ? {} : { AIQ_CRASH_SEED: count('seed', values.seed) }),
    };
    const files = ['run', '--project', 'end-to-end', 'test/crash/kill.test.ts'];
    return await runTool('vitest', files, { root, env: { ...env, ...wanted } });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const usage = 'usage: npm run test:crash -- [--rounds N] [--seed S]';
    process.stderr.write(`error: ${error.message}\n${usage}\n`);
    return exited(2);
  }
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
