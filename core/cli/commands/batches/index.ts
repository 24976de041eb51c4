/** The commands of `aiq batches`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addBatches(root: Command, run: RunAction): void {
  const batches = root.command('batches').helpCommand(false);
  batches
    .command('list')
    .description('List batches: how many jobs of each are in which state, and why one was stopped.')
    .addHelpText('after', examplesText([['aiq batches list'], ['aiq batches list --json']]))
    .action(() =>
      run(async (session) => (await import('./batches-action.ts')).listBatches(session)),
    );
  batches
    .command('resume')
    .description('Go on with a batch that was stopped; what failed so far counts no more.')
    .argument('<batch>', 'Its name.')
    .addHelpText('after', examplesText([['aiq batches resume 3']]))
    .action((name: string) =>
      run(async (session) => (await import('./batches-action.ts')).resumeBatch(session, name)),
    );
}
