/** `aiq costs`: flags and help. */

import { type Command, Option } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addCosts(root: Command, run: RunAction): void {
  root
    .command('costs')
    .addOption(
      new Option('--by <key>', 'Sums by one of them; by agent and model without it.').choices([
        'agent',
        'model',
        'batch',
        'day',
      ]),
    )
    .option('--since <day>', 'From this day on: 7d for so long ago, or a date. Days are in UTC.')
    .option('--until <day>', 'Up to this day, with it.')
    .addHelpText(
      'after',
      examplesText([
        ['aiq costs', 'of all calls that the broker knows'],
        ['aiq costs --by day --since 7d'],
        ['aiq costs --by model --since 2026-11-01 --until 2026-11-30'],
      ]),
    )
    .action((options) =>
      run(async (session) => (await import('./costs-action.ts')).showCosts(session, options)),
    );
}
