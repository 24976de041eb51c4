/** The providers of the user's own configuration, independent of the working folder. */

import { statSync } from 'node:fs';
import type { Config } from './config.ts';
import { readConfigFile } from './config-file.ts';
import { type Environment, ownConfigFile } from './find-config.ts';
import { readProviders } from './structured.ts';

/** What group and others must not have: the right to change it. */
const writeRight = 0o022;

/** Providers of the user's own configuration; none when another user owns it or may change it. */
export function ownProviders(env: Environment): Config['providers'] {
  const file = ownConfigFile(env);
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined || (found.mode & writeRight) !== 0) return {};
  if (process.getuid !== undefined && found.uid !== process.getuid()) return {};
  return readProviders(readConfigFile(file), env);
}
