/**
 * `node scripts/run.js <task> [arguments…]`: makes a fresh clone ready as far as the task needs it,
 * then runs the task on a Node that is new enough. Plain JavaScript that Node 20 can run, without
 * any package.
 */

import { basename, delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endLike, runInPlace } from '../bin/child.js';
import { platformProblem } from '../bin/machine.js';
import { bench } from './bench.js';
import { build } from './build.js';
import { runChecks } from './check.js';
import { crash } from './crash.js';
import { planted } from './planted.js';
import { ensureNode } from './setup/node.js';
import { SetupError } from './setup/npm.js';
import { ensurePackages } from './setup/packages.js';
import { sim } from './sim.js';
import { exited, runTool } from './tools.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** @typedef {import('./tools.js').End} End */
/** @typedef {{ root: string, node: string, env: NodeJS.ProcessEnv }} Place */
/** @typedef {(args: string[], on: Place) => Promise<End>} Task */

const faultTests = ['fault-matrix', 'other-servers'].map(
  (name) => `test/integration/model/${name}.test.ts`,
);

/** @type {Record<string, { packages: 'runtime' | 'all', run: Task }>} */
const tasks = {
  demo: {
    packages: 'runtime',
    run: (args, { node, env }) =>
      runInPlace(node, [join(root, 'bin/aiq.js'), 'demo', ...args], { env }),
  },
  test: { packages: 'all', run: runTests },
  check: { packages: 'all', run: async (_args, { env }) => exited(await runChecks(root, env)) },
  crash: { packages: 'all', run: crash },
  faults: {
    packages: 'all',
    run: (args, place) =>
      runTool('vitest', ['run', ...faultTests, ...args], {
        ...place,
        env: { ...place.env, AIQ_FAULT_TABLE: '1' },
      }),
  },
  outage: {
    packages: 'all',
    run: (args, place) =>
      runTool('vitest', ['run', 'test/e2e/provider-health.test.ts', ...args], {
        ...place,
        env: { AIQ_HEALTH_JOBS: '2000', AIQ_HEALTH_AWAY_MS: '60000', ...place.env },
      }),
  },
  planted: { packages: 'all', run: planted },
  sim: { packages: 'all', run: sim },
  hostile: { packages: 'all', run: programme('test/hostile/main.ts') },
  money: { packages: 'all', run: programme('test/money/main.ts') },
  soak: { packages: 'all', run: programme('test/soak/main.ts') },
  bench: { packages: 'all', run: bench },
  build: { packages: 'all', run: (_args, { env }) => build(root, env) },
  format: {
    packages: 'all',
    run: (args, place) => runTool('biome', ['check', '--write', '.', ...args], place),
  },
};

await main(process.argv.slice(2)).then(endLike, (error) => {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = 1;
});

/**
 * A file that needs no test runner: it prints its own figures and verdict.
 *
 * @param {string} file
 * @returns {Task}
 */
function programme(file) {
  return (args, { node, env }) => runInPlace(node, [join(root, file), ...args], { cwd: root, env });
}

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
  return task.run(args, { root, node, env: { ...process.env, PATH: path } });
}

/**
 * Runs the checks and all tests; the tests run even when a check failed, so that one run shows all
 * problems. When the first argument names a file, runs that file (or those files) without the checks.
 *
 * @type {Task}
 */
async function runTests(args, place) {
  const runsAll = args[0]?.startsWith('-') ?? true;
  const failedChecks = runsAll ? await runChecks(root, place.env) : 0;
  const end = await runTool('vitest', ['run', ...args], place);
  if (failedChecks === 0 || end.signal !== null || end.code !== 0) return end;
  process.stderr.write('error: the tests passed, but a check failed; see above\n');
  return exited(failedChecks);
}
