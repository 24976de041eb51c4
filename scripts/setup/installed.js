/**
 * Tells whether a folder holds what a lock file asks for, from the record that npm writes last. An
 * interrupted, older or partly deleted installation reads as none.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {{ version?: string, dev?: boolean, optional?: boolean, link?: boolean }} LockedPackage
 * @typedef {Record<string, LockedPackage>} LockedPackages by folder, such as `node_modules/ajv`
 */

/**
 * @param {object} question
 * @param {string} question.lockDir folder of `package-lock.json`
 * @param {string} question.dir folder of `node_modules/`
 * @param {boolean} question.dev whether development packages are needed too
 * @param {readonly string[]} [question.also] files that must be there as well
 * @returns {boolean}
 */
export function isInstalled({ lockDir, dir, dev, also = [] }) {
  const wanted = readPackages(join(lockDir, 'package-lock.json'));
  const present = readPackages(join(dir, 'node_modules/.package-lock.json'));
  if (wanted === null || present === null) return false;
  return (
    missingPackages(wanted, present, dev).length === 0 &&
    Object.keys(present).every((folder) => existsSync(join(dir, folder, 'package.json'))) &&
    also.every((file) => existsSync(file))
  );
}

/**
 * Optional packages are npm's business: it leaves out those for other platforms.
 *
 * @param {LockedPackages} wanted
 * @param {LockedPackages} present
 * @param {boolean} dev
 * @returns {string[]} folders of the packages that are missing or have another version
 */
export function missingPackages(wanted, present, dev) {
  return Object.entries(wanted)
    .filter(([folder, { dev: isDev }]) => folder !== '' && (dev || isDev !== true))
    .filter(([folder, { optional, version }]) => {
      const found = present[folder];
      return found === undefined ? optional !== true : found.version !== version;
    })
    .map(([folder]) => folder);
}

/**
 * @param {string} file
 * @returns {LockedPackages | null} null when the file is missing or cut
 */
export function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? null;
  } catch {
    return null;
  }
}
