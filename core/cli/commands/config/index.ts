/** The commands of `aiq config`. */

import type { Command } from 'commander';
import type { RunAction } from '../../session.ts';
import { addList } from './list.ts';
import { addPath } from './path.ts';
import { addSchema } from './schema.ts';

export function addConfig(root: Command, run: RunAction): void {
  const config = root.command('config').helpCommand(false);
  addList(config, run);
  addPath(config, run);
  addSchema(config, run);
}
