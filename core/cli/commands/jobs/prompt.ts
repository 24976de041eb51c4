/** `aiq jobs prompt`: flags and help. */

import type { Command } from 'commander';
import { exampleJobs, examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addPrompt(jobs: Command, run: RunAction): void {
  jobs
    .command('prompt')
    .description('Print the messages of the last model call as sent, even if the attempt failed.')
    .argument('<id>', 'Job id, or any unique prefix of it.')
    .option('--all', 'Print all recorded calls, oldest first.')
    .addHelpText(
      'after',
      examplesText([
        [`aiq jobs prompt ${exampleJobs.monday}`],
        [`aiq jobs prompt ${exampleJobs.tuesday} --all`, 'every call that it took'],
      ]),
    )
    .action((id: string, options) =>
      run(async (session) => (await import('./prompt-action.ts')).showPrompt(session, id, options)),
    );
}
