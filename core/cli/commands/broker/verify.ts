/** `aiq broker verify`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addVerify(broker: Command, run: RunAction): void {
  broker
    .command('verify')
    .description('Read the whole log and report damage; changes nothing.')
    .argument('[folder]', 'Folder of a broker, or a backup; default: the configured one.')
    .addHelpText(
      'after',
      examplesText([['aiq broker verify', 'also while it runs'], ['aiq broker verify backup']]),
    )
    .action((folder: string | undefined) =>
      run(async (session) => (await import('./maintenance-action.ts')).verify(session, folder)),
    );
}
