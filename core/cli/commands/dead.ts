/** The commands of `aiq dead`: aliases of `aiq jobs` for dead jobs. */

import type { Command } from 'commander';
import { exampleJobs, examplesText } from '../examples.ts';
import type { RunAction } from '../session.ts';
import { showJob } from './jobs/show.ts';

export function addDead(root: Command, run: RunAction): void {
  const dead = root.command('dead').helpCommand(false);
  addFilters(dead.command('list'))
    .description('List dead jobs with their causes: aiq jobs list --state dead.')
    .option('--limit <n>', 'Maximum number of jobs to list.', '50')
    .addHelpText(
      'after',
      examplesText([
        ['aiq dead list'],
        ['aiq dead list --json | head -n 1'],
        ['aiq dead list --cause timeout', 'only those; see CAUSE'],
      ]),
    )
    .action((options) =>
      run(async (session) => {
        const { listJobs } = await import('./jobs/list-action.ts');
        return listJobs(session, { ...options, state: 'dead' });
      }),
    );
  dead
    .command('show')
    .description('Show one dead job: aiq jobs show; exits with 5 if it is not dead.')
    .argument('<id>', 'Job id, or any unique prefix of it.')
    .addHelpText('after', examplesText([[`aiq dead show ${exampleJobs.tuesday}`]]))
    .action((id: string) => run((session) => showJob(session, id, 'dead')));
  addFilters(dead.command('retry'))
    .description('Queue dead jobs again, with all their attempts: aiq jobs retry.')
    .argument('[ids...]', 'Job ids, or any unique prefixes of them.')
    .option('--all', 'All dead jobs, like jobs retry --dead; implied by --cause.')
    .addHelpText(
      'after',
      examplesText([
        [`aiq dead retry ${exampleJobs.friday}`],
        ['aiq dead retry --cause timeout'],
        ['aiq dead retry --all --agent summarize'],
      ]),
    )
    .action((ids: string[], { all, ...filter }) =>
      run(async (session) => {
        const { retryJobs } = await import('./jobs/change-action.ts');
        const isBulk = all === true || filter.cause !== undefined;
        return retryJobs(session, ids, { ...filter, dead: isBulk }, '--all');
      }),
    );
}

function addFilters(command: Command): Command {
  return command
    .option('--agent <name>', 'Only jobs of this agent.')
    .option('--queue <name>', 'Only jobs of this queue.')
    .option('--cause <code>', 'Only jobs that failed with this code, such as timeout.');
}
