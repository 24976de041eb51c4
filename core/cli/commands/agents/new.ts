/** `aiq agents new`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addNew(agents: Command, run: RunAction): void {
  agents
    .command('new')
    .description('Create an agent in the first agent folder; never overwrites.')
    .argument('<name>', 'Its name, such as meeting-notes.')
    .option('--from <agent>', 'Start with a copy of this agent.')
    .addHelpText(
      'after',
      examplesText([['aiq agents new meeting-notes'], ['aiq agents new digest --from summarize']]),
    )
    .action((name: string, options) =>
      run(async (session) => (await import('./new-action.ts')).newAgent(session, name, options)),
    );
}
