/**
 * `node scripts/run.js <demo|test|check|bench|format> [arguments…]`: makes a fresh clone ready as
 * far as the task needs it, then runs the task on a Node that is new enough. Plain JavaScript that
 * Node 20 can run, without any package.
 */

import { basename, delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endLike, runInPlace } from '../bin/child.js';
import { platformProblem } from '../bin/machine.js';
import { runChecks } from './check.js';
import { ensureNode } from './setup/node.js';
import { SetupError } from './setup/npm.js';
import { ensurePackages } from './setup/packages.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** @typedef {{ code: number, signal: NodeJS.Signals | null }} End */
/** @typedef {(args: string[], on: { node: string, env: NodeJS.ProcessEnv }) => Promise<End>} Task */

/** @type {Record<string, { packages: 'runtime' | 'all', run: Task }>} */
const tasks = {
  demo: {
    packages: 'runtime',
    run: (args, { node, env }) =>
      runInPlace(node, [join(root, 'bin/aiq.js'), 'demo', ...args], { env }),
  },
  test: { packages: 'all', run: runTests },
  check: { packages: 'all', run: async (_args, { env }) => exited(await runChecks(root, env)) },
  bench: {
    packages: 'all',
    run: (args, { node, env }) => runInPlace(node, [join(root, 'bench/main.ts'), ...args], { env }),
  },
  format: {
    packages: 'all',
    run: (args, { env }) => runTool('biome', ['check', '--write', '.', ...args], env),
  },
};

await main(process.argv.slice(2)).then(endLike, (error) => {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = 1;
});

/**
 * @param {string[]} argv
 * @returns {Promise<End>}
 */
async function main([name = '', ...args]) {
  const problem = platformProblem(process.platform);
  if (problem !== null) throw new SetupError(problem);
  const task = Object.hasOwn(tasks, name) ? tasks[name] : undefined;
  if (task === undefined) {
    const names = Object.keys(tasks).join('|');
    process.stderr.write(`usage: node ${basename(import.meta.url)} <${names}> [arguments]\n`);
    return exited(2);
  }
  const node = await ensureNode(root);
  await ensurePackages(root, task.packages);
  const path = [dirname(node), process.env['PATH']].join(delimiter);
  return task.run(args, { node, env: { ...process.env, PATH: path } });
}

/**
 * The tests run even when a check failed, so that one run tells all there is to mend.
 *
 * @type {Task}
 */
async function runTests(args, { env }) {
  const failedChecks = await runChecks(root, env);
  const end = await runTool('vitest', ['run', ...args], env);
  if (failedChecks === 0 || end.signal !== null || end.code !== 0) return end;
  process.stderr.write('error: the tests passed, but a check failed; see above\n');
  return exited(failedChecks);
}

/**
 * @param {string} name of a command that an installed package brings
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
function runTool(name, args, env) {
  return runInPlace(join(root, 'node_modules/.bin', name), args, { cwd: root, env });
}

/**
 * @param {number} code
 * @returns {End}
 */
function exited(code) {
  return { code, signal: null };
}
