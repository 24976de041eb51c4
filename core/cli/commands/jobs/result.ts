/** `aiq jobs result`: flags and help. */

import type { Command } from 'commander';
import { exampleJobs, examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addResult(jobs: Command, run: RunAction): void {
  const { monday } = exampleJobs;
  jobs
    .command('result')
    .description('Print the result of a job.')
    .argument('<id>', 'Job id, or any unique prefix of it.')
    .option('--path', 'Print the paths of its files instead.')
    .option('-o, --output <file>', 'Write it to this file instead, unchanged.')
    .addHelpText(
      'after',
      examplesText([
        [`aiq jobs result ${monday}`],
        [`aiq jobs result ${monday} -o summary.md`],
        [`aiq jobs result ${monday} --path`, 'one path on each line'],
      ]),
    )
    .action((id: string, options) =>
      run(async (session) => (await import('./result-action.ts')).showResult(session, id, options)),
    );
}
