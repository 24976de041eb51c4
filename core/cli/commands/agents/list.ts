/** `aiq agents list`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addList(agents: Command, run: RunAction): void {
  agents
    .command('list')
    .description('List all agents; a broken one with its first problem.')
    .addHelpText('after', examplesText([['aiq agents list']]))
    .action(() => run(async (session) => (await import('./list-action.ts')).listAgents(session)));
}
