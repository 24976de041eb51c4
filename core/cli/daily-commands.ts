/** The commands of daily work: `enqueue`, `run`, `demo`. Names, flags and help; no work. */

import { type Command, Option } from 'commander';
import type { Overrides } from '../config/index.ts';
import { examplesText } from './examples.ts';
import { addInputFlags, collect, type Invocation, once, prepareInputs } from './schema-flags.ts';
import type { Act, Session } from './session.ts';

/** Those of the protocol, which help need not load. */
export const priorityNames = ['highest', 'high', 'normal', 'low', 'lowest'];

export function addEnqueue(root: Command, session: () => Session, act: Act): void {
  const invocation: Invocation = { agent: null, flags: [] };
  const command = root
    .command('enqueue')
    .alias('add')
    .description('Add one job or many to the queue of an agent; prints their ids.')
    .argument('<agent>', 'Name of the agent (see: aiq agents list).')
    .argument('[inputs...]', 'Files, patterns, or - for standard input: one job each.');
  addInputFlags(command)
    .option(
      '--jsonl <file>',
      'One job per line of JSON, from a file or -.',
      once('--jsonl', 'Run the command for each file.'),
    )
    .option(
      '--id <key>',
      'Your own key for the job: the same key is the same job.',
      once('--id', 'A job has one key: run the command for each.'),
    )
    .addOption(
      new Option('--priority <name>', 'How urgent it is; normal unless told otherwise.').choices(
        priorityNames,
      ),
    )
    .option('--run-at <time>', 'Not before then: 10m, 2h, 3d from now, or an ISO date and time.')
    .option('--expires <time>', 'Dead instead of started from then on; a time as for --run-at.')
    .option('--tag <tag>', 'A word to find it by; may be repeated.', collect)
    .option('--park-key <key>', 'Parked until aiq signal <key>.')
    .option('--force', 'Add a new job even if the same one was done before.')
    .option(
      '--wait',
      'Wait for the result and print it; does the work itself when nobody else does.',
    )
    .option('--timeout <duration>', 'With --wait: give up after this time, such as 90s or 5m.')
    .option('-y, --yes', 'Do not ask before adding more than 100 files.')
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
      act(async (current) => {
        const { enqueue } = await import('./commands/enqueue.ts');
        return enqueue(current, invocation, { ...options, inputs });
      }),
    );
  root.hook('preSubcommand', async (parent, sub) => {
    if (sub === command) await prepareInputs(command, parent.args.slice(1), session(), invocation);
  });
}

export function addRun(root: Command, act: Act): void {
  root
    .command('run')
    .description('Do the queued jobs of all agents, or of some, until stopped.')
    .option('--agents <names>', 'Only these agents, separated by commas.')
    .option('--until-empty', 'Leave when none of their jobs is waiting or being worked on.')
    .option('--concurrency <n>', 'Jobs at one time, over all threads.')
    .option('--threads <n>', 'Worker threads.')
    .option('--model <id>', 'Model for all agents, instead of their own.')
    .option('--provider <name>', 'auto, openai, local, offline, or a name of the configuration.')
    .addHelpText(
      'after',
      `
Ctrl-C stops taking jobs and finishes the running ones; a second Ctrl-C stops at once.
${examplesText([
  ['aiq run', 'until Ctrl-C (exits 0)'],
  ['aiq run --agents summarize --until-empty --concurrency 16'],
])}`,
    )
    .action((options) =>
      act(
        async (session) => (await import('./commands/run.ts')).run(session, options),
        runOverrides(options),
      ),
    );
}

interface RunSettings {
  readonly concurrency?: string;
  readonly threads?: string;
  readonly provider?: string;
}

/** The flags of `run` that are settings of the configuration as well. */
function runOverrides({ concurrency, threads, provider }: RunSettings): Overrides {
  return {
    ...(concurrency === undefined ? {} : { 'run.concurrency': concurrency }),
    ...(threads === undefined ? {} : { 'run.threads': threads }),
    ...(provider === undefined ? {} : { provider }),
  };
}

export function addDemo(root: Command, act: Act): void {
  root
    .command('demo')
    .description('Summarize the example texts through a broker of its own, with no key or network.')
    .option('--provider <name>', 'Use this provider instead of the offline one.')
    .addHelpText('after', examplesText([['aiq demo']]))
    .action((options) =>
      act(async (session) => (await import('./commands/demo.ts')).demo(session), {
        provider: options.provider ?? 'offline',
      }),
    );
}
