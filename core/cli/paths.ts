/** Paths as people read them. */

import { isAbsolute, relative } from 'node:path';

/** A path as the person would type it here: relative when that is shorter to read. */
export function pathFromHere(path: string): string {
  if (!isAbsolute(path)) return path;
  const near = relative(process.cwd(), path);
  return near === '' || near.startsWith('../../..') ? path : near;
}
