/** `aiq trust`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../examples.ts';
import type { RunAction } from '../session.ts';

export function addTrust(root: Command, run: RunAction): void {
  root
    .command('trust')
    .option('--list', 'List what is allowed, for all folders.')
    .option('--remove', 'Remove the permissions of this folder.')
    .addHelpText(
      'after',
      examplesText([
        ['aiq trust', 'shows each variable with its address, and each module, and allows them'],
        ['aiq trust --list'],
        ['aiq trust --remove'],
      ]),
    )
    .action((options) =>
      run(async (session) => (await import('./trust-action.ts')).trust(session, options)),
    );
}
