/** Brings the packages of the lock file into the clone, only when they are not there yet. */

import { join } from 'node:path';
import { isInstalled, readPackages } from './installed.js';
import { npm, SetupError, say } from './npm.js';

/**
 * @param {string} root the clone, absolute
 * @param {'runtime' | 'all'} mode
 * @throws {SetupError}
 */
export async function ensurePackages(root, mode) {
  if (isInstalled({ lockDir: root, dir: root, dev: mode === 'all' })) return;

  // A demo after a test, with a newer lock, must not take the test's packages away.
  const dev = mode === 'all' || hasDevPackages(root);
  say(`installing the ${dev ? 'runtime and development' : 'runtime'} packages (once)`);
  // Not `npm ci`: it refuses a lock without the binaries of every other platform, and not every
  // registry has those. Versions and checksums come from the lock either way, and it stays as it is.
  await npm(
    ['install', '--no-save', dev ? '--include=dev' : '--omit=dev', '--include=optional'],
    root,
  );
  if (isInstalled({ lockDir: root, dir: root, dev })) return;
  throw new SetupError(
    'package.json and package-lock.json do not agree. Run `npm install` once and commit the lock.',
  );
}

/**
 * @param {string} root
 * @returns {boolean}
 */
function hasDevPackages(root) {
  const present = readPackages(join(root, 'node_modules/.package-lock.json')) ?? {};
  return Object.values(present).some(({ dev }) => dev === true);
}
