/** `aiq config list`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addList(config: Command, run: RunAction): void {
  config
    .command('list')
    .description('List every setting with its value.')
    .option('--show-origin', 'Show where each comes from: flag, variable, file and line, default.')
    .addHelpText('after', examplesText([['aiq config list --show-origin']]))
    .action((options) =>
      run(async (session) => (await import('./list-action.ts')).listConfig(session, options)),
    );
}
