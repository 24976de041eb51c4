/** `aiq enqueue`: flags and help. */

import { type Command, Option } from 'commander';
import { examplesText } from '../../examples.ts';
import {
  addInputFlags,
  collect,
  type Invocation,
  once,
  prepareInputs,
} from '../../input/schema-flags.ts';
import type { RunAction, Session } from '../../session.ts';

/** The priorities of the protocol, repeated here because help must not load the protocol. */
export const priorityNames = ['highest', 'high', 'normal', 'low', 'lowest'];

export function addEnqueue(root: Command, session: () => Session, run: RunAction): void {
  const invocation: Invocation = { agent: null, flags: [] };
  const command = root
    .command('enqueue')
    .alias('add')
    .argument('<agent>', 'Name of the agent (see: aiq agents list).')
    .argument('[inputs...]', 'Files, patterns, or - for standard input: one job each.');
  addJobFlags(addInputFlags(command))
    .addHelpText(
      'after',
      examplesText([
        ['aiq enqueue summarize docs/*.md'],
        ['aiq enqueue summarize article.txt --wait'],
        ['cat article.txt | aiq enqueue summarize'],
        [
          'aiq enqueue summarize article.txt --style bulet',
          'exits 3: names the value, queues nothing',
        ],
        ['aiq enqueue summarize --help', "the flags of that agent's own input"],
      ]),
    )
    .action((_agent: string, inputs: string[], options) =>
      run(async (current) => {
        const { enqueue } = await import('./enqueue-action.ts');
        return enqueue(current, invocation, { ...options, inputs });
      }),
    );
  root.hook('preSubcommand', async (parent, sub) => {
    if (sub === command) await prepareInputs(command, parent.args.slice(1), session(), invocation);
  });
}

function addJobFlags(command: Command): Command {
  return command
    .option(
      '--jsonl <file>',
      'One job per line of JSON, from a file or -.',
      once('--jsonl', 'Run the command once for each file.'),
    )
    .option(
      '--id <key>',
      'Your own key for the job; the same key is the same job.',
      once('--id', 'A job has one key: run the command once for each job.'),
    )
    .addOption(
      new Option('--priority <name>', 'Priority of the job; default: normal.').choices(
        priorityNames,
      ),
    )
    .option(
      '--run-at <time>',
      'Do not start before: 10m, 2h, 3d from now, or an ISO date and time.',
    )
    .option('--expires <time>', 'Fail instead of starting after this time; as for --run-at.')
    .option('--tag <tag>', 'A tag to find the job by; may be repeated.', collect)
    .option('--batch <name>', 'Name of what is enqueued together; default: the next number.')
    .option('--max-cost <amount>', 'What the whole batch may cost, in USD: 3 or 0.25.')
    .option(
      '--stop-after <rule>',
      'Stop the batch after failures: "failures > 5%", 12 or never; default: 20 of one cause.',
    )
    .option('--park-key <key>', 'Hold the job until aiq signal <key>.')
    .option('--force', 'Add a new job even if the same one exists.')
    .option('--wait', 'Wait for the result and print it; runs the job if no worker does.')
    .option('--timeout <duration>', 'With --wait: give up after this time, such as 90s or 5m.')
    .option('-y, --yes', 'Do not ask before adding more than 100 files.');
}
