/** The commands of `aiq outputs`: flags and help. */

import type { Command } from 'commander';
import { exampleJobs, examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addOutputs(root: Command, run: RunAction): void {
  const outputs = root
    .command('outputs')
    .helpCommand(false)
    .description('Show what is still to be written, and write files of results again.');
  outputs
    .command('list')
    .description('List results that are kept and not written yet, and why.')
    .addHelpText('after', examplesText([['aiq outputs list']]))
    .action(() =>
      run(async (session) => (await import('./outputs-action.ts')).listUnwritten(session)),
    );
  outputs
    .command('restore')
    .description('Write missing files of done jobs again, from the broker.')
    .argument('[ids...]', 'Job ids, or any unique prefixes of them.')
    .option('--all', 'All done jobs that the broker knows.')
    .option('--force', 'Also files that were changed since: their changes are lost.')
    .addHelpText(
      'after',
      examplesText([
        [`aiq outputs restore ${exampleJobs.monday}`],
        ['aiq outputs restore --all', 'every file that is missing'],
      ]),
    )
    .action((ids: string[], options) =>
      run(async (session) =>
        (await import('./outputs-action.ts')).restoreOutputs(session, ids, options),
      ),
    );
}
