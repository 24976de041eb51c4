/** `aiq queues set`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addSet(queues: Command, run: RunAction): void {
  queues
    .command('set')
    .description('Set limits and retention of a queue; other settings stay as they are.')
    .argument('<queue>', 'Its name.')
    .option('--max-jobs <n>', "Maximum unfinished jobs; 0 for the broker's limit.")
    .option('--max-bytes <size>', "Maximum bytes of them, such as 500MiB; 0 for the broker's.")
    .option('--keep <duration>', "How long finished jobs are kept; 0 for the broker's setting.")
    .option('--keep-jobs <n>', "How many finished jobs are kept; 0 for the broker's setting.")
    .addHelpText('after', examplesText([['aiq queues set summarize --max-jobs 10000 --keep 7d']]))
    .action((name: string, options) =>
      run(async (session) => (await import('./set-action.ts')).setQueue(session, name, options)),
    );
}
