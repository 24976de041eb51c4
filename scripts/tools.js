/** Runs the commands that installed packages bring, with their output shown. */

import { join } from 'node:path';
import { runInPlace } from '../bin/child.js';

/** @typedef {{ code: number, signal: NodeJS.Signals | null }} End */

/**
 * @param {string} name of a command in `node_modules/.bin`
 * @param {readonly string[]} args
 * @param {{ root: string, env: NodeJS.ProcessEnv }} place the clone, and an environment with the
 *   right Node first on the PATH
 * @returns {Promise<End>}
 */
export function runTool(name, args, { root, env }) {
  return runInPlace(join(root, 'node_modules/.bin', name), args, { cwd: root, env });
}

/**
 * @param {number} code
 * @returns {End}
 */
export function exited(code) {
  return { code, signal: null };
}
