/**
 * `npm run test:planted [-- NAME…]`: plants one bug after another and runs the test that must notice
 * it; ends with 1 when one of them goes unnoticed. Each test is run once without any bug first.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { exited } from './tools.js';

/** Seeds of one process, so that the first that notices a bug ends the run. */
const firstSeed = 1;

/** The end of what `test/planted/planting.ts` says when a bug has lost its place. */
const staleEnd = 'bring test/planted/bugs up to date.';

/**
 * @typedef {{ seeds: number, steps: number } | { test: string }} Catcher
 * @typedef {{ name: string, what: string, edits: { in: string }[], caughtBy: Catcher }} Bug
 * @typedef {{ failed: boolean, noticed: boolean, why: string, seconds: number }} Outcome
 * @typedef {{ root: string, node: string, env: NodeJS.ProcessEnv }} Place
 */

/**
 * @param {string[]} args names of bugs; empty for all
 * @param {Place} on
 * @returns {Promise<import('./tools.js').End>}
 */
export async function planted(args, on) {
  const all = await bugsOf(on);
  const unknown = args.filter((name) => !all.some((bug) => bug.name === name));
  if (unknown.length > 0) {
    const names = all.map(({ name }) => name).join(', ');
    process.stderr.write(`error: no planted bug ${unknown.join(', ')}; there are: ${names}\n`);
    return exited(2);
  }
  const bugs = args.length === 0 ? all : all.filter(({ name }) => args.includes(name));
  const sound = await allSound(bugs, on);
  if (!sound) return exited(1);
  let missed = 0;
  for (const bug of bugs) {
    const outcome = await run(bug.caughtBy, bug.name, on);
    const isStale = outcome.why.endsWith(staleEnd);
    const isCaught = outcome.noticed && !isStale;
    if (!isCaught) missed += 1;
    const places = [...new Set(bug.edits.map((edit) => edit.in))].join(', ');
    const verdict = isStale ? 'STALE' : isCaught ? 'caught' : 'MISSED';
    process.stdout.write(
      `${verdict.padEnd(6)} ${bug.name.padEnd(26)} ${outcome.seconds.toFixed(1).padStart(6)} s  ${nameOf(bug.caughtBy)}\n` +
        `       ${bug.what} (${places})\n       ${outcome.why}\n`,
    );
  }
  process.stdout.write(`${bugs.length - missed} of ${bugs.length} planted bugs caught\n`);
  return exited(missed === 0 ? 0 : 1);
}

/**
 * A test that fails anyway notices nothing.
 *
 * @param {Bug[]} bugs
 * @param {Place} on
 * @returns {Promise<boolean>}
 */
async function allSound(bugs, on) {
  const catchers = new Map(bugs.map(({ caughtBy }) => [nameOf(caughtBy), caughtBy]));
  for (const [name, catcher] of catchers) {
    const { failed, why, seconds } = await run(catcher, '', on);
    process.stdout.write(`${failed ? 'FAILS' : 'sound'}  ${name}, ${seconds.toFixed(1)} s\n`);
    if (!failed) continue;
    process.stdout.write(`       ${why}\nerror: ${name} fails without any planted bug\n`);
    return false;
  }
  return true;
}

/**
 * @param {Catcher} catcher
 * @param {string} bug its name, or nothing
 * @param {Place} on
 * @returns {Promise<Outcome>}
 */
async function run(catcher, bug, { root, node, env }) {
  const startedAt = performance.now();
  const isTest = 'test' in catcher;
  const args = isTest ? testArgs(root, catcher) : simArgs(root, catcher);
  const child = spawn(node, args, {
    cwd: root,
    env: { ...env, AIQ_PLANTED: bug, NO_COLOR: '1', ...(isTest ? childOptions(root, env) : {}) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      output += text;
    });
  }
  const [code] = await once(child, 'close');
  const seconds = (performance.now() - startedAt) / 1000;
  const failed = code !== 0;
  return { failed, noticed: failed && isNoticedIn(output), why: reasonIn(output), seconds };
}

/**
 * Processes that a test starts run with the bug as well.
 *
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 */
function childOptions(root, env) {
  const loader = pathToFileURL(join(root, 'test/planted/loader.ts')).href;
  return { NODE_OPTIONS: `${env['NODE_OPTIONS'] ?? ''} --import=${loader}`.trim() };
}

/**
 * @param {string} root
 * @param {{ test: string }} catcher
 */
function testArgs(root, { test }) {
  const config = join(root, 'test/planted/vitest.config.ts');
  return [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', config, test];
}

/**
 * @param {string} root
 * @param {{ seeds: number, steps: number }} catcher
 */
function simArgs(root, { seeds, steps }) {
  const all = Array.from({ length: seeds }, (_, index) => `${firstSeed + index}`);
  const loader = pathToFileURL(join(root, 'test/planted/loader.ts')).href;
  const main = join(root, 'test/sim/main.ts');
  return ['--import', loader, main, '--bail', '--steps', `${steps}`, ...all];
}

/**
 * Whether a promise was broken or a test failed: sources that do not even load prove nothing.
 *
 * @param {string} output
 * @returns {boolean}
 */
function isNoticedIn(output) {
  const last = lastLineOf(output);
  if (last.startsWith('{')) return JSON.parse(last).violations.length > 0;
  return /^\s*FAIL\s+.+ > /m.test(output);
}

/** @param {string} output */
function lastLineOf(output) {
  return output.trimEnd().split('\n').at(-1) ?? '';
}

/**
 * What the failed run said first.
 *
 * @param {string} output
 * @returns {string}
 */
function reasonIn(output) {
  const flat = output.replace(/\s+/g, ' ');
  const staleAt = flat.indexOf(staleEnd);
  if (staleAt !== -1) {
    return flat.slice(flat.lastIndexOf('planted bug ', staleAt), staleAt + staleEnd.length);
  }
  const last = lastLineOf(output);
  if (last.startsWith('{')) {
    const { seed, violations } = JSON.parse(last);
    return violations.length === 0 ? '' : `seed ${seed}: ${violations[0].split('\n')[0]}`;
  }
  const [, failed = ''] = /FAIL\s+(.+)/.exec(output) ?? [];
  const [, error = last] = /\n\s*((?:\w*Error|Error): .+)/.exec(output) ?? [];
  return [failed.trim(), error.trim()]
    .filter((part) => part !== '')
    .join(': ')
    .slice(0, 300);
}

/** @param {Catcher} catcher */
function nameOf(catcher) {
  return 'test' in catcher
    ? catcher.test
    : `simulation, ${catcher.seeds} seeds of ${catcher.steps} steps`;
}

/**
 * The list is TypeScript, which the Node that runs this file may not read.
 *
 * @param {Place} on
 * @returns {Promise<Bug[]>}
 */
async function bugsOf({ root, node, env }) {
  const list = pathToFileURL(join(root, 'test/planted/bugs.ts')).href;
  const script = `import(${JSON.stringify(list)}).then(({ plantedBugs }) => console.log(JSON.stringify(plantedBugs)))`;
  const child = spawn(node, ['--eval', script], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ part) => {
    text += part;
  });
  await once(child, 'close');
  return JSON.parse(text);
}
