/** The commands of `aiq jobs`. */

import type { Command } from 'commander';
import type { RunAction } from '../../session.ts';
import { addCancel } from './cancel.ts';
import { addList } from './list.ts';
import { addPrompt } from './prompt.ts';
import { addResult } from './result.ts';
import { addRetry } from './retry.ts';
import { addSearch } from './search.ts';
import { addShow } from './show.ts';
import { addWait } from './wait.ts';

export function addJobs(root: Command, run: RunAction): void {
  const jobs = root.command('jobs').helpCommand(false);
  addList(jobs, run);
  addSearch(jobs, run);
  addShow(jobs, run);
  addWait(jobs, run);
  addCancel(jobs, run);
  addRetry(jobs, run);
  addResult(jobs, run);
  addPrompt(jobs, run);
}
