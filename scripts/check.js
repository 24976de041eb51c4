/** The checks that need no test runner: formatting, lint, types, dead code. All run, all report. */

import { join } from 'node:path';
import { run } from './setup/npm.js';

/** @type {readonly { name: string, tool: string, args: string[] }[]} */
const checks = [
  { name: 'format', tool: 'biome', args: ['check', '.'] },
  { name: 'lint', tool: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  { name: 'types', tool: 'tsc', args: ['-p', '.'] },
  { name: 'dead code', tool: 'knip', args: ['--no-progress'] },
];

/**
 * @param {string} root the clone, absolute
 * @param {NodeJS.ProcessEnv} env with the right Node first on the PATH
 * @returns {Promise<number>} exit code: 0 when every check passed, else 1
 */
export async function runChecks(root, env) {
  const ends = await Promise.all(
    checks.map(({ tool, args }) =>
      run(join(root, 'node_modules/.bin', tool), args, { cwd: root, env }),
    ),
  );
  for (const [index, { code, output }] of ends.entries()) {
    const name = checks[index]?.name;
    process.stdout.write(code === 0 ? `ok      ${name}\n` : `failed  ${name}\n${output}\n`);
  }
  return ends.every(({ code }) => code === 0) ? 0 : 1;
}
