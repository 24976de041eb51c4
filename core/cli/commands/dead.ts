/** The commands of `aiq dead`: flags and help. */

import type { Command } from 'commander';
import { exampleJobs, examplesText } from '../examples.ts';
import type { RunAction } from '../session.ts';
import { showJob } from './jobs/show.ts';

export function addDead(root: Command, run: RunAction): void {
  const dead = root
    .command('dead')
    .helpCommand(false)
    .description('List, show and retry jobs that failed permanently.');
  addFilters(dead.command('list'))
    .description('List dead jobs with their causes, newest first.')
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
      run(async (session) => (await import('./jobs/change-action.ts')).listDead(session, options)),
    );
  dead
    .command('show')
    .description('Show one dead job: its last error, attempts, usage.')
    .argument('<id>', 'Job id, or any unique prefix of it.')
    .addHelpText('after', examplesText([[`aiq dead show ${exampleJobs.tuesday}`]]))
    .action((id: string) => run((session) => showJob(session, id, 'dead')));
  addFilters(dead.command('retry'))
    .description('Queue dead jobs again, with all their attempts: by id, by cause, or all at once.')
    .argument('[ids...]', 'Job ids, or any unique prefixes of them.')
    .option('--all', 'All dead jobs; --agent and --queue select some of them.')
    .addHelpText(
      'after',
      examplesText([
        [`aiq dead retry ${exampleJobs.friday}`],
        ['aiq dead retry --cause timeout'],
        ['aiq dead retry --all --agent summarize'],
      ]),
    )
    .action((ids: string[], options) =>
      run(async (session) =>
        (await import('./jobs/change-action.ts')).retryDead(session, ids, options),
      ),
    );
}

function addFilters(command: Command): Command {
  return command
    .option('--agent <name>', 'Only jobs of this agent.')
    .option('--queue <name>', 'Only jobs of this queue.')
    .option('--cause <code>', 'Only jobs that failed with this code, such as timeout.');
}
