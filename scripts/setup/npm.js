/** Calls npm quietly: its output is shown only when it fails, together with the way out. */

import { spawn } from 'node:child_process';

/** A machine or network that keeps set-up from finishing; the message says what to do. */
export class SetupError extends Error {}

const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
/** `npm pack --dry-run` builds as well, and hands its own flags down to every npm below. */
const forReal = '--no-dry-run';

/**
 * @param {string[]} args
 * @param {string} cwd
 * @throws {SetupError}
 */
export async function npm(args, cwd) {
  const { code, output } = await run('npm', [...args, ...quiet, forReal], { cwd });
  if (code === 0) return;
  throw new SetupError(
    [
      `npm ${args.join(' ')} failed in ${cwd}:`,
      output.trim().replace(/^/gm, '  '),
      'Check the network, free disk space and the registry setting (`npm config get registry`),',
      'then run the same command again: it goes on from whatever was left behind.',
    ].join('\n'),
  );
}

/**
 * @param {string} file
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<{ code: number, output: string }>}
 * @throws {SetupError} when the program is not there
 */
export async function run(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.once('error', (error) => {
      reject(
        new SetupError(
          `${file} does not start (${error.message}). Is it installed and on the PATH?`,
        ),
      );
    });
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** @param {string} message */
export function say(message) {
  process.stderr.write(`set-up: ${message}\n`);
}
