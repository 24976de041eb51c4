/** `aiq agents validate`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import { reservedFlags } from '../../input/schema-flags.ts';
import type { RunAction } from '../../session.ts';

export function addValidate(agents: Command, run: RunAction): void {
  agents
    .command('validate')
    .description('Check agent files; print each problem with file, line and column.')
    .argument('[names...]', 'Agents to check; default: all.')
    .addHelpText(
      'after',
      examplesText([['aiq agents validate'], ['aiq agents validate summarize']]),
    )
    .action((names: string[]) =>
      run(async (session) => {
        const { validateAgents } = await import('./validate-action.ts');
        return validateAgents(session, names, reservedFlags(agents));
      }),
    );
}
