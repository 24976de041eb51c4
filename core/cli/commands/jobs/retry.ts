/** `aiq jobs retry`: flags and help. */

import type { Command } from 'commander';
import { exampleJobs, examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addRetry(jobs: Command, run: RunAction): void {
  jobs
    .command('retry')
    .description('Queue dead jobs again, with all their attempts: by id, or all at once.')
    .argument('[ids...]', 'Job ids, or any unique prefixes of them.')
    .option('--dead', 'All dead jobs; --agent, --queue and --cause select some of them.')
    .option('--agent <name>', 'With --dead: only jobs of this agent.')
    .option('--queue <name>', 'With --dead: only jobs of this queue.')
    .option('--cause <code>', 'With --dead: only jobs that failed with this code.')
    .addHelpText(
      'after',
      examplesText([
        [`aiq jobs retry ${exampleJobs.thursday}`],
        ['aiq jobs retry --dead --queue summarize --cause timeout'],
      ]),
    )
    .action((ids: string[], options) =>
      run(async (session) => (await import('./change-action.ts')).retryJobs(session, ids, options)),
    );
}
