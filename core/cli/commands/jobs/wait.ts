/** `aiq jobs wait`: flags and help. */

import type { Command } from 'commander';
import { exampleJobs, examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addWait(jobs: Command, run: RunAction): void {
  jobs
    .command('wait')
    .description('Wait until jobs finish; exits with 7 when all of them failed, 9 when some did.')
    .argument('<ids...>', 'Job ids, or any unique prefixes of them.')
    .option('--timeout <duration>', 'Give up after this time, such as 90s or 5m.')
    .addHelpText('after', examplesText([[`aiq jobs wait ${exampleJobs.monday} --timeout 5m`]]))
    .action((ids: string[], options) =>
      run(async (session) => (await import('./wait-action.ts')).waitJobs(session, ids, options)),
    );
}
