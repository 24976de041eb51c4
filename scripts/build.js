/**
 * Compiles `core/` into `dist/`: JavaScript with its type declarations, nothing else. `dist/` mirrors
 * `core/` at the same depth, so a path relative to a source holds for the compiled file as well.
 */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from './tools.js';

/**
 * @param {string} root the clone, absolute
 * @param {NodeJS.ProcessEnv} env with the right Node first on the PATH
 * @returns {Promise<import('./tools.js').End>}
 */
export async function build(root, env) {
  // What an earlier build left of files that are gone now must not be packed.
  await rm(join(root, 'dist'), { recursive: true, force: true });
  return runTool('tsc', ['-p', 'tsconfig.build.json'], { root, env });
}
