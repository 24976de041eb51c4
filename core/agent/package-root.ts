/** The folder of the package itself, whether it runs from source or from `dist/`. */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The nearest folder above this file that holds the shipped schema. */
export function packageRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'schema', 'agent.schema.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('schema/agent.schema.json is missing from the package');
    folder = parent;
  }
  return folder;
}

/** The folder of the agents that ship with aiq. */
export function shippedAgentsPath(): string {
  return join(packageRoot(), 'agents');
}
