/** `aiq tail`: flags and help. */

import type { Command } from 'commander';
import { exampleJobs, examplesText } from '../examples.ts';
import { collect } from '../input/schema-flags.ts';
import type { RunAction } from '../session.ts';

export function addTail(root: Command, run: RunAction): void {
  root
    .command('tail')
    .argument('[job]', 'Only this job: its id, or any unique prefix of it.')
    .option('--queue <name>', 'Only jobs of this queue; may be repeated.', collect)
    .option('--until-empty', 'Exit when none of these jobs is waiting or running.')
    .addHelpText(
      'after',
      examplesText([
        ['aiq tail', 'all queues, until Ctrl-C (exits 130)'],
        ['aiq tail --queue summarize --until-empty'],
        [`aiq tail ${exampleJobs.monday}`, 'exits 0 when it is done, 7 when it failed'],
        ['aiq tail --json --until-empty', 'one line of JSON for each change'],
      ]),
    )
    .action((job: string | undefined, options) =>
      run(async (session) => (await import('./tail-action.ts')).tail(session, job, options)),
    );
}
