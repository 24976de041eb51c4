/** `aiq jobs list`: flags and help. */

import { type Command, Option } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

/** The job states of the protocol, repeated here because help must not load the protocol. */
export const listedStates = ['delayed', 'ready', 'leased', 'parked', 'done', 'dead', 'cancelled'];

export function addList(jobs: Command, run: RunAction): void {
  jobs
    .command('list')
    .description('List jobs, newest first.')
    .option('--agent <name>', 'Only jobs of this agent.')
    .option('--queue <name>', 'Only jobs of this queue.')
    .addOption(new Option('--state <state>', 'Only jobs in this state.').choices(listedStates))
    .option('--cause <code>', 'Only jobs whose last failure has this code, such as timeout.')
    .option('--limit <n>', 'Maximum number of jobs to list.', '50')
    .addHelpText(
      'after',
      examplesText([
        ['aiq jobs list'],
        ['aiq jobs list --state dead --json', 'one line of JSON for each'],
        ['aiq jobs list --agent summarize --limit 5'],
      ]),
    )
    .action((options) =>
      run(async (session) => (await import('./list-action.ts')).listJobs(session, options)),
    );
}
