#!/usr/bin/env node
/**
 * The `aiq` command. Any Node from 20 on can start it: it finds a Node that is new enough, runs the
 * command line in this process or on that Node, and says what to do where neither is possible.
 */

import { existsSync, lstatSync, mkdirSync, realpathSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isNodeEnough, nodeCandidates, oldNodeProblem, platformProblem } from './machine.js';

/** Exit code for "cannot run as asked", see `aiq help exit-codes`. */
const usageExitCode = 2;

/**
 * What commander gets in the place of Node's own: an import of `node:process` or `node:util` computes all that they
 * could give, and `node:child_process` is for commands that are programs of their own. There are none.
 *
 * @type {Record<string, string>}
 */
const standIns = {
  'node:process': 'export default process',
  'node:util': 'export const { stripVTControlCharacters } = process.getBuiltinModule("node:util")',
  'node:child_process': 'export default null',
};

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sourceEntry = join(root, 'core/cli/main.ts');
const isClone = existsSync(sourceEntry);

const problem = platformProblem(process.platform) ?? setupProblem();
if (problem !== null) refuse(problem);
else if (isNodeEnough(process.versions.node)) await runHere();
else await runOnNewerNode();

/** @returns {string | null} what is missing in this clone, and the command that brings it in */
function setupProblem() {
  // npm writes this file last, so a half-finished installation reads as none.
  if (!isClone || existsSync(join(root, 'node_modules/.package-lock.json'))) return null;
  return [
    'aiq is not set up in this clone yet: its packages are not installed.',
    `Run \`npm run demo\` (or \`npm test\`) once in ${root}, then the same command again.`,
  ].join('\n');
}

async function runHere() {
  // Threads that wait for disks: many small syncs run at once. Read when the pool first starts.
  process.env['UV_THREADPOOL_SIZE'] ??= '16';
  // In the environment as well, so that brokers and threads started from here load quickly too.
  const cache = process.env['NODE_COMPILE_CACHE'] ?? ownCache();
  if (cache !== null) {
    process.env['NODE_COMPILE_CACHE'] = cache;
    module.enableCompileCache(cache);
  }
  resolveAtOnce();
  const entry = isClone ? sourceEntry : join(root, 'dist/cli/main.js');
  const { main } = await import(pathToFileURL(entry).href);
  process.exitCode = await main(process.argv.slice(2));
}

/**
 * Our own files import each other by relative paths with extensions and no links among them: their
 * places need no search, which takes Node longer than anything else about a small file.
 */
function resolveAtOnce() {
  const folder = pathToFileURL(join(root, isClone ? 'core/' : 'dist/')).href;
  const format = isClone ? 'module-typescript' : 'module';
  module.registerHooks({
    resolve(specifier, context, nextResolve) {
      const from = context.parentURL ?? '';
      if (specifier.startsWith('.') && from.startsWith(folder)) {
        return { url: new URL(specifier, from).href, format, shortCircuit: true };
      }
      const standIn = from.includes('/commander/') ? standIns[specifier] : undefined;
      if (standIn === undefined) return nextResolve(specifier, context);
      return { url: `data:text/javascript,${standIn}`, format: 'module', shortCircuit: true };
    },
  });
}

/**
 * A folder that only we write to, because whoever can write there decides what code runs; null where
 * there is none and none can be made.
 */
function ownCache() {
  const folder = isClone
    ? join(root, 'node_modules/.cache/aiq')
    : join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'aiq');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(folder);
    return uid === process.geteuid?.() && (mode & 0o022) === 0 ? folder : null;
  } catch {
    return null;
  }
}

async function runOnNewerNode() {
  // Never itself again: a private copy can be too old as well, after an update of the clone.
  const node = nodeCandidates(root, process.platform, process.arch).find(
    (file) => existsSync(file) && realpathSync(file) !== process.execPath,
  );
  if (node === undefined) return refuse(oldNodeProblem(process.versions.node));
  const { endLike, runInPlace } = await import('./child.js');
  try {
    endLike(await runInPlace(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)]));
  } catch (error) {
    refuse(`${node} does not start (${String(error)}).\n${oldNodeProblem(process.versions.node)}`);
  }
}

/** @param {string} message */
function refuse(message) {
  process.stderr.write(`error: ${message}\n`);
  process.exitCode = usageExitCode;
}
