/** `aiq broker backup`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addBackup(broker: Command, run: RunAction): void {
  broker
    .command('backup')
    .description('Copy the log, also while the broker runs, and verify the copy.')
    .argument('<to>', 'Folder for the copy: empty or not existing.')
    .option('--dir <folder>', 'Folder of the broker; default: the configured one.')
    .addHelpText('after', examplesText([['aiq broker backup backup']]))
    .action((to: string, options) =>
      run(async (session) =>
        (await import('./maintenance-action.ts')).backup(session, to, options),
      ),
    );
}
