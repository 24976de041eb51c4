/** Paths as people give and read them. */

import { isAbsolute, relative } from 'node:path';
import { parsePath, ValueError } from '../config/index.ts';
import { usageError } from './errors.ts';

/** A path as the person would type it here: relative when that is shorter to read. */
export function pathFromHere(path: string): string {
  if (!isAbsolute(path)) return path;
  const near = relative(process.cwd(), path);
  return near === '' || near.startsWith('../../..') ? path : near;
}

/**
 * A path of the command line, absolute.
 * @throws CliError `usage` for what a shell did not fill in, such as `--dir=~/broker`
 */
export function pathAsGiven(text: string): string {
  try {
    return parsePath(text, process.cwd());
  } catch (error) {
    throw error instanceof ValueError ? usageError(error.message) : error;
  }
}
