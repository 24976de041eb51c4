/** `aiq broker restore`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addRestore(broker: Command, run: RunAction): void {
  broker
    .command('restore')
    .description('Create the log of a broker from a backup.')
    .argument('<backup>', 'Folder of the backup.')
    .option('--dir <folder>', 'Folder of the broker; default: the configured one.')
    .addHelpText('after', examplesText([['aiq broker restore backup --dir restored']]))
    .action((from: string, options) =>
      run(async (session) =>
        (await import('./maintenance-action.ts')).restore(session, from, options),
      ),
    );
}
