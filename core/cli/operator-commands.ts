/** The commands of operators: `dead`, `tail`, and what may be done with jobs. */

import type { Command } from 'commander';
import { exampleJobs, examplesText } from './examples.ts';
import { collect } from './schema-flags.ts';
import type { Act } from './session.ts';

const { monday, tuesday, wednesday, thursday, friday } = exampleJobs;
const anyId = 'Its id, or any unique beginning of it.';
const anyIds = 'Their ids, or any unique beginnings of them.';

/** What may be done with a job: added to the family `jobs`. */
export function addJobOperations(jobs: Command, act: Act): void {
  jobs
    .command('cancel')
    .description('Cancel jobs: those that wait are removed, those that run are stopped.')
    .argument('<ids...>', anyIds)
    .addHelpText('after', examplesText([[`aiq jobs cancel ${wednesday}`]]))
    .action((ids: string[]) =>
      act(async (session) => (await import('./commands/operate-jobs.ts')).cancelJobs(session, ids)),
    );
  jobs
    .command('retry')
    .description('Queue dead jobs again, with all their attempts: some, or all at once.')
    .argument('[ids...]', anyIds)
    .option('--dead', 'All dead jobs, however many; --queue and --cause narrow them down.')
    .option('--queue <name>', 'With --dead: only jobs of this queue.')
    .option('--cause <code>', 'With --dead: only jobs that failed with this code.')
    .addHelpText(
      'after',
      examplesText([
        [`aiq jobs retry ${thursday}`],
        ['aiq jobs retry --dead --queue summarize --cause timeout'],
      ]),
    )
    .action((ids: string[], options) =>
      act(async (session) =>
        (await import('./commands/operate-jobs.ts')).retryJobs(session, ids, options),
      ),
    );
  addJobOutput(jobs, act);
}

function addJobOutput(jobs: Command, act: Act): void {
  jobs
    .command('result')
    .description('Print what a job made.')
    .argument('<id>', anyId)
    .option('--path', 'Print where its files are instead.')
    .option('-o, --output <file>', 'Write it to this file instead, as it is.')
    .addHelpText(
      'after',
      examplesText([
        [`aiq jobs result ${monday}`],
        [`aiq jobs result ${monday} -o summary.md`],
        [`aiq jobs result ${monday} --path`, 'one path on each line'],
      ]),
    )
    .action((id: string, options) =>
      act(async (session) =>
        (await import('./commands/job-output.ts')).showResult(session, id, options),
      ),
    );
  jobs
    .command('prompt')
    .description('Print the messages of the last call as they were sent, also of a failed attempt.')
    .argument('<id>', anyId)
    .option('--all', 'Print all calls that are kept, the oldest first.')
    .addHelpText(
      'after',
      examplesText([
        [`aiq jobs prompt ${monday}`],
        [`aiq jobs prompt ${tuesday} --all`, 'every call that it took'],
      ]),
    )
    .action((id: string, options) =>
      act(async (session) =>
        (await import('./commands/job-output.ts')).showPrompt(session, id, options),
      ),
    );
}

export function addDead(root: Command, act: Act): void {
  const dead = root
    .command('dead')
    .helpCommand(false)
    .description('Look at jobs that failed for good, and queue them again.');
  narrowed(dead.command('list'))
    .description('List dead jobs with their causes, newest first.')
    .option('--limit <n>', 'Most jobs to list.', '50')
    .addHelpText(
      'after',
      examplesText([
        ['aiq dead list'],
        ['aiq dead list --json | head -n 1'],
        ['aiq dead list --cause timeout', 'only those; see CAUSE'],
      ]),
    )
    .action((options) =>
      act(async (session) =>
        (await import('./commands/operate-jobs.ts')).listDead(session, options),
      ),
    );
  dead
    .command('show')
    .description('Show one dead job: its last error, attempts, usage.')
    .argument('<id>', anyId)
    .addHelpText('after', examplesText([[`aiq dead show ${tuesday}`]]))
    .action((id: string) =>
      act(async (session) => (await import('./commands/operate-jobs.ts')).showDead(session, id)),
    );
  narrowed(dead.command('retry'))
    .description('Queue dead jobs again, with all their attempts: some, those of a cause, or all.')
    .argument('[ids...]', anyIds)
    .option('--all', 'All dead jobs, as far as --agent and --queue leave them in.')
    .addHelpText(
      'after',
      examplesText([
        [`aiq dead retry ${friday}`],
        ['aiq dead retry --cause timeout'],
        ['aiq dead retry --all --agent summarize'],
      ]),
    )
    .action((ids: string[], options) =>
      act(async (session) =>
        (await import('./commands/operate-jobs.ts')).retryDead(session, ids, options),
      ),
    );
}

function narrowed(command: Command): Command {
  return command
    .option('--agent <name>', 'Only jobs of this agent.')
    .option('--queue <name>', 'Only jobs of this queue.')
    .option('--cause <code>', 'Only jobs that failed with this code, such as timeout.');
}

export function addTail(root: Command, act: Act): void {
  root
    .command('tail')
    .description(
      'Print every change of a job as it happens, until Ctrl-C; of one job until it ends.',
    )
    .argument('[job]', 'Only this job: its id, or any unique beginning of it.')
    .option('--queue <name>', 'Only jobs of this queue; may be repeated.', collect)
    .option('--until-empty', 'Leave when no job of them is waiting or being worked on.')
    .addHelpText(
      'after',
      examplesText([
        ['aiq tail', 'all queues, until Ctrl-C (exits 130)'],
        ['aiq tail --queue summarize --until-empty'],
        [`aiq tail ${monday}`, 'exits 0 when it is done, 7 when it failed'],
        ['aiq tail --json --until-empty', 'one line of JSON for each change'],
      ]),
    )
    .action((job: string | undefined, options) =>
      act(async (session) => (await import('./commands/tail.ts')).tail(session, job, options)),
    );
}
