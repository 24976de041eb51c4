/**
 * `npm run test:sim -- [--seeds N] [--seed S] [--steps N] [--resume FILE]`: plays the broker's core,
 * log and recovery on a fake disk, network and clock, one history for each seed, on all cores.
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { exited } from './tools.js';

const options = /** @type {const} */ ({
  seeds: { type: 'string', default: '200' },
  seed: { type: 'string', default: '1' },
  steps: { type: 'string', default: '2000' },
  resume: { type: 'string' },
});

/** Below so many seeds a state that none of them reached proves nothing. */
const seedsForReach = 200;
const seedsPerProcess = 25;

/**
 * @typedef {{ seed: number, steps: number, digest: string, violations: string[],
 *   reached: Record<string, number>, restarts: number, faults: number, accepted: number,
 *   acked: number, ms: number }} Played
 * @typedef {{ first: number, seeds: number, steps: number, digests: Record<string, string>,
 *   reached: Record<string, number>, sums: Record<string, number> }} State
 */

/**
 * @param {string[]} args
 * @param {{ root: string, node: string, env: NodeJS.ProcessEnv }} on
 * @returns {Promise<import('./tools.js').End>}
 */
export async function sim(args, { root, node, env }) {
  let wanted;
  try {
    const { values } = parseArgs({ args, options });
    wanted = {
      first: count('seed', values.seed),
      seeds: count('seeds', values.seeds),
      steps: count('steps', values.steps),
      file: values.resume,
    };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const usage = 'usage: npm run test:sim -- [--seeds N] [--seed S] [--steps N] [--resume FILE]';
    process.stderr.write(`error: ${error.message}\n${usage}\n`);
    return exited(2);
  }
  const state = await stateOf(wanted);
  const last = state.first + state.seeds - 1;
  process.stdout.write(`seeds ${state.first} to ${last}, ${state.steps} steps each\n`);
  const run = { state, file: wanted.file, failed: /** @type {Played[]} */ ([]), next: state.first };
  const startedAt = performance.now();
  const start = (/** @type {number[]} */ seeds) =>
    spawn(
      node,
      [join(root, 'test/sim/main.ts'), '--steps', `${state.steps}`, ...seeds.map(String)],
      { env, stdio: ['ignore', 'pipe', 'inherit'] },
    );
  await Promise.all(Array.from({ length: availableParallelism() }, () => work(run, start)));
  const reachable = await reachableStates(root, node);
  const isComplete = report(run, reachable, (performance.now() - startedAt) / 1000);
  return exited(isComplete ? 0 : 1);
}

/**
 * Takes seeds portion by portion until there are none.
 *
 * @param {{ state: State, file: string | undefined, failed: Played[], next: number }} run
 * @param {(seeds: number[]) => import('node:child_process').ChildProcessByStdio<null, import('node:stream').Readable, null>} start
 */
async function work(run, start) {
  const { state } = run;
  for (;;) {
    /** @type {number[]} */
    const seeds = [];
    while (run.next < state.first + state.seeds && seeds.length < seedsPerProcess) {
      if (state.digests[run.next] === undefined) seeds.push(run.next);
      run.next += 1;
    }
    if (seeds.length === 0) return;
    const child = start(seeds);
    const ended = once(child, 'exit');
    for await (const line of createInterface({ input: child.stdout })) {
      const played = /** @type {Played} */ (JSON.parse(line));
      seeds.splice(seeds.indexOf(played.seed), 1);
      take(run, played);
    }
    const [code, signal] = await ended;
    if (code !== 0) {
      const [seed = 0] = seeds;
      const ms = 0;
      const violations = [`the simulation itself ended with ${code ?? signal}`];
      take(run, {
        seed,
        steps: 0,
        digest: '',
        violations,
        reached: {},
        restarts: 0,
        faults: 0,
        accepted: 0,
        acked: 0,
        ms,
      });
    }
    if (run.file !== undefined) save(run.file, state);
  }
}

/**
 * @param {{ state: State, failed: Played[] }} run
 * @param {Played} played
 */
function take({ state, failed }, played) {
  const { seed, digest, reached, violations } = played;
  if (violations.length > 0) {
    failed.push(played);
    process.stdout.write(
      `seed ${seed} broke a promise: ${violations[0]?.split('\n')[0]}\n` +
        `  npm run test:sim -- --seed ${seed} --seeds 1 --steps ${state.steps}\n`,
    );
    if (state.seeds === 1) process.stdout.write(`${violations.join('\n')}\n`);
    return;
  }
  state.digests[seed] = digest;
  for (const [name, times] of Object.entries(reached)) {
    state.reached[name] = (state.reached[name] ?? 0) + times;
  }
  for (const name of /** @type {const} */ (['steps', 'restarts', 'faults', 'accepted', 'acked'])) {
    state.sums[name] = (state.sums[name] ?? 0) + played[name];
  }
}

/**
 * @param {{ state: State, failed: Played[] }} run
 * @param {string[]} reachable
 * @param {number} seconds
 * @returns {boolean} whether all is well
 */
function report({ state, failed }, reachable, seconds) {
  const { steps = 0, restarts = 0, faults = 0, accepted = 0, acked = 0 } = state.sums;
  const rows = reachable.map((name) => `  ${name.padEnd(56)} ${state.reached[name] ?? 0}\n`);
  process.stdout.write(`states reached:\n${rows.join('')}`);
  const missing = reachable.filter((name) => (state.reached[name] ?? 0) === 0);
  const digest = createHash('sha256');
  const played = Object.keys(state.digests)
    .map(Number)
    .sort((left, right) => left - right);
  for (const seed of played) digest.update(`${seed} ${state.digests[seed]}\n`);
  process.stdout.write(
    `${played.length} seeds from ${state.first}: ${steps} steps, ${restarts} starts, ${faults} faults beside the disk's, ` +
      `${accepted} jobs accepted, ${acked} acknowledged; ${seconds.toFixed(1)} s in this run\n` +
      `${reachable.length - missing.length} of ${reachable.length} states reached; digest ${digest.digest('hex').slice(0, 32)}\n`,
  );
  const blind = state.seeds >= seedsForReach && missing.length > 0;
  if (blind) process.stdout.write(`never reached: ${missing.join('; ')}\n`);
  process.stdout.write(`${failed.length} violations\n`);
  return failed.length === 0 && !blind;
}

/**
 * What was played before, when there is such a file and it is about the same seeds.
 *
 * @param {{ first: number, seeds: number, steps: number, file: string | undefined }} wanted
 * @returns {Promise<State>}
 */
async function stateOf({ first, seeds, steps, file }) {
  const fresh = { first, seeds, steps, digests: {}, reached: {}, sums: {} };
  if (file === undefined) return fresh;
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return fresh;
  const before = /** @type {State} */ (JSON.parse(text));
  if (before.first !== first || before.steps !== steps) {
    throw new Error(`${file} is about seeds from ${before.first} with ${before.steps} steps`);
  }
  return { ...before, seeds };
}

/**
 * @param {string} file
 * @param {State} state
 */
function save(file, state) {
  // Synchronous, because two workers share the file and its temporary name.
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.tmp`, JSON.stringify(state));
  renameSync(`${file}.tmp`, file);
}

/**
 * @param {string} root
 * @param {string} node
 * @returns {Promise<string[]>}
 */
async function reachableStates(root, node) {
  const child = spawn(node, [join(root, 'test/sim/main.ts'), '--reachable'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  /** @type {string[]} */
  const lines = [];
  for await (const line of createInterface({ input: child.stdout })) lines.push(line);
  return /** @type {string[]} */ (JSON.parse(lines[0] ?? '[]'));
}

/**
 * @param {string} name
 * @param {string} text
 * @returns {number}
 * @throws {TypeError} like the parser's own
 */
function count(name, text) {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new TypeError(`--${name} takes a whole number from 1 to 999999999, not "${text}"`);
}
