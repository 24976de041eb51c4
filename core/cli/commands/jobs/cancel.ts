/** `aiq jobs cancel`: flags and help. */

import type { Command } from 'commander';
import { exampleJobs, examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addCancel(jobs: Command, run: RunAction): void {
  jobs
    .command('cancel')
    .description('Cancel jobs: remove those that wait, stop those that run.')
    .argument('<ids...>', 'Job ids, or any unique prefixes of them.')
    .addHelpText('after', examplesText([[`aiq jobs cancel ${exampleJobs.wednesday}`]]))
    .action((ids: string[]) =>
      run(async (session) => (await import('./change-action.ts')).cancelJobs(session, ids)),
    );
}
