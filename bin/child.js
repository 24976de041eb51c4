/**
 * Runs a child process in this one's place: same standard streams, signals passed on once, and the
 * child's exit code or signal becomes our own.
 */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

const terminalSignals = /** @type {const} */ (['SIGINT', 'SIGQUIT', 'SIGHUP']);

/**
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<{ code: number, signal: NodeJS.Signals | null }>} `code` is 128 + n after a signal
 * @throws when the file cannot be started
 */
export async function runInPlace(file, args, options = {}) {
  const child = spawn(file, args, { ...options, stdio: 'inherit' });
  const passOn = (/** @type {NodeJS.Signals} */ signal) => {
    child.kill(signal);
  };
  const passOnUnlessSent = (/** @type {NodeJS.Signals} */ signal) => {
    if (!isForeground()) child.kill(signal);
  };
  process.on('SIGTERM', passOn);
  for (const signal of terminalSignals) process.on(signal, passOnUnlessSent);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        resolve({ code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]), signal });
      });
    });
  } finally {
    process.off('SIGTERM', passOn);
    for (const signal of terminalSignals) process.off(signal, passOnUnlessSent);
  }
}

/**
 * Ends this process the way the child ended, so that a caller sees the same code or signal.
 *
 * @param {{ code: number, signal: NodeJS.Signals | null }} end
 */
export function endLike({ code, signal }) {
  process.exitCode = code;
  if (signal !== null) process.kill(process.pid, signal);
}

/**
 * True when a terminal sends its Ctrl-C to our whole group. The child then has it already, and a
 * second one would read as "abort now".
 *
 * @returns {boolean}
 */
function isForeground() {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    // After the name in parentheses: state, parent, group, session, terminal, its foreground group.
    const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return terminal !== '0' && group === foreground;
  } catch {
    return process.stdin.isTTY;
  }
}
