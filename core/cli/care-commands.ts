/** Commands that look after a broker's log: names, flags and help; no work. */

import type { Command } from 'commander';
import { examplesText } from './examples.ts';
import type { Act } from './session.ts';

const dirFlag = '--dir <folder>';
const dirMeaning = 'Folder of the broker; default: the one of the configuration.';

/** Added to the family `broker`. */
export function addMaintenance(broker: Command, act: Act): void {
  broker
    .command('verify')
    .description('Read the whole log and say what is damaged; changes nothing.')
    .argument('[folder]', 'Folder of a broker, or a backup; default: the configured one.')
    .addHelpText(
      'after',
      examplesText([['aiq broker verify', 'also while it runs'], ['aiq broker verify backup']]),
    )
    .action((folder: string | undefined) =>
      act(async (session) => (await import('./commands/care.ts')).verify(session, folder)),
    );
  broker
    .command('backup')
    .description('Copy the log, also while the broker runs, and check the copy.')
    .argument('<to>', 'Folder for the copy: empty, or not there yet.')
    .option(dirFlag, dirMeaning)
    .addHelpText('after', examplesText([['aiq broker backup backup']]))
    .action((to: string, options) =>
      act(async (session) => (await import('./commands/care.ts')).backup(session, to, options)),
    );
  broker
    .command('restore')
    .description('Make the log of a broker from a backup.')
    .argument('<backup>', 'Folder of the backup.')
    .option(dirFlag, dirMeaning)
    .addHelpText('after', examplesText([['aiq broker restore backup --dir restored']]))
    .action((from: string, options) =>
      act(async (session) => (await import('./commands/care.ts')).restore(session, from, options)),
    );
  broker
    .command('salvage')
    .description('Make a new log of all that is legible in a damaged one.')
    .argument('<to>', 'Folder for the new log and the report of losses: empty, or not there yet.')
    .option(dirFlag, dirMeaning)
    .addHelpText('after', examplesText([['aiq broker salvage salvaged', 'stop the broker first']]))
    .action((to: string, options) =>
      act(async (session) => (await import('./commands/care.ts')).salvage(session, to, options)),
    );
}
