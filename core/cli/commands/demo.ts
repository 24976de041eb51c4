/** `aiq demo`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../examples.ts';
import type { RunAction } from '../session.ts';

export function addDemo(root: Command, run: RunAction): void {
  root
    .command('demo')
    .option('--provider <name>', 'Use this provider instead of the offline one.')
    .addHelpText('after', examplesText([['aiq demo']]))
    .action((options) =>
      run(async (session) => (await import('./demo-action.ts')).demo(session), {
        provider: options.provider ?? 'offline',
      }),
    );
}
