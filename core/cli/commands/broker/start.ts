/** `aiq broker start`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addStart(broker: Command, run: RunAction): void {
  broker
    .command('start')
    .description('Run a broker in the foreground.')
    .option('--dir <folder>', 'Folder of its log; default: the configured one.')
    .option(
      '--listen <address>',
      'Also listen on tcp://127.0.0.1:<port>; clients need the token file.',
    )
    .option('--io-threads <n>', 'Threads that share the TCP port; requires --listen.')
    .addHelpText(
      'after',
      examplesText([
        ['aiq broker start', 'until Ctrl-C (exits 0)'],
        ['aiq broker start --listen tcp://127.0.0.1:0', 'a free port; until Ctrl-C (exits 0)'],
      ]),
    )
    .action((options) =>
      run(async (session) => (await import('./start-action.ts')).startBroker(session, options)),
    );
}
