/** `aiq jobs search`: flags and help. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';
import { listedStates } from './list.ts';

export function addSearch(jobs: Command, run: RunAction): void {
  jobs
    .command('search')
    .description('Search all jobs, including old ones; every condition must match.')
    .option('--queue <name>', 'In this queue.')
    .addOption(
      new Option('--state <state>', 'In this state; may be repeated.')
        .choices(listedStates)
        .argParser(collectState),
    )
    .option('--agent <name>', 'Of this agent.')
    .option('--tag <tag>', 'With this tag.')
    .option('--text <words>', 'With these words in source, note or error.')
    .option('--cause <code>', 'Last failed with this code.')
    .option('--since <time>', 'Entered its state since then: 2h, 3d ago, or an ISO date and time.')
    .option('--until <time>', 'Entered its state before then.')
    .option('--min-cost <amount>', 'Cost at least this much, such as 0.05.')
    .option('--after <cursor>', 'Continue after the previous page.')
    .option('--limit <n>', 'Maximum number of jobs to print.', '50')
    .addHelpText(
      'after',
      examplesText([
        ['aiq jobs search --text mill --since 2d'],
        ['aiq jobs search --state dead --cause timeout --json', 'one line of JSON for each'],
        ['aiq jobs search --tag urgent --min-cost 0.05 --limit 10'],
      ]),
    )
    .action((options) =>
      run(async (session) => (await import('./search-action.ts')).searchJobs(session, options)),
    );
}

/** Checks a repeated choice: commander checks choices only for flags without a parser. */
function collectState(state: string, before: readonly string[] = []): string[] {
  if (listedStates.includes(state)) return [...before, state];
  throw new InvalidArgumentError(`Allowed choices are ${listedStates.join(', ')}.`);
}
