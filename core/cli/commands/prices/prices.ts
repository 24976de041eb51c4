/** `aiq prices`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addPrices(root: Command, run: RunAction): void {
  root
    .command('prices')
    .argument('[model...]', 'Model ids; those of agents and configuration without one.')
    .addHelpText(
      'after',
      examplesText([
        ['aiq prices', 'of the models that agents and configuration name'],
        ['aiq prices gpt-5-mini'],
      ]),
    )
    .action((models: string[]) =>
      run(async (session) => (await import('./prices-action.ts')).prices(session, models)),
    );
}
