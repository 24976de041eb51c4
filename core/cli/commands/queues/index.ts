/** The commands of `aiq queues`. */

import type { Command } from 'commander';
import type { RunAction } from '../../session.ts';
import { addList } from './list.ts';
import { addPause, addResume } from './pause.ts';
import { addPurge } from './purge.ts';
import { addSet } from './set.ts';
import { addShow } from './show.ts';

export function addQueues(root: Command, run: RunAction): void {
  const queues = root.command('queues').helpCommand(false);
  addList(queues, run);
  addShow(queues, run);
  addPause(queues, run);
  addResume(queues, run);
  addSet(queues, run);
  addPurge(queues, run);
}
