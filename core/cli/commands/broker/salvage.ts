/** `aiq broker salvage`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addSalvage(broker: Command, run: RunAction): void {
  broker
    .command('salvage')
    .description('Write the legible records of a damaged log to a new log.')
    .argument('<to>', 'Folder for the new log and the loss report: empty or not existing.')
    .option('--dir <folder>', 'Folder of the broker; default: the configured one.')
    .addHelpText('after', examplesText([['aiq broker salvage salvaged', 'stop the broker first']]))
    .action((to: string, options) =>
      run(async (session) =>
        (await import('./maintenance-action.ts')).salvage(session, to, options),
      ),
    );
}
