/** `aiq agents show`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import { reservedFlags } from '../../input/schema-flags.ts';
import type { RunAction } from '../../session.ts';

export function addShow(agents: Command, run: RunAction): void {
  agents
    .command('show')
    .description('Show one agent: its fields, flags, schemas and templates.')
    .argument('<agent>', 'Name of the agent.')
    .addHelpText('after', examplesText([['aiq agents show summarize']]))
    .action((name: string) =>
      run(async (session) => {
        const { showAgent } = await import('./show-action.ts');
        return showAgent(session, name, reservedFlags(agents));
      }),
    );
}
