/**
 * The tree of commands: names, flags and help, built with commander alone so that `--help` is
 * quick. Each action loads its own module when it runs.
 */

import { Command, Option } from 'commander';
import type { Overrides } from '../config/index.ts';
import { addDemo, addEnqueue, addRun } from './daily-commands.ts';
import { examplesText } from './examples.ts';
import type { ExitName } from './exit-codes.ts';
import { addAgents, addBroker, addJobs } from './family-commands.ts';
import { addDead, addTail } from './operator-commands.ts';
import { addQueues, addSignal } from './queue-commands.ts';
import { type Act, createSession, type GlobalFlags, type Session } from './session.ts';
import { addCompletion, addConfig, addDoctor, addInit, addTrust } from './setup-commands.ts';
import { helpTopics } from './topics.ts';

/** A built program; `exit` says how its action ended once `parseAsync` resolved. */
export interface Program {
  readonly command: Command;
  readonly session: () => Session;
  readonly exit: () => ExitName;
}

export function createProgram(version: string): Program {
  const root = new Command('aiq');
  let session: Session | null = null;
  let exit: ExitName = 'ok';
  const current = (overrides?: Overrides): Session =>
    (session ??= createSession(root.opts<GlobalFlags>(), overrides));
  const act: Act = async (work, overrides) => {
    try {
      exit = await work(current(overrides));
    } finally {
      await session?.close();
    }
  };
  configureRoot(root, version);
  addEnqueue(root, current, act);
  addRun(root, act);
  addTail(root, act);
  addDemo(root, act);
  addInit(root, act);
  addJobs(root, act);
  addDead(root, act);
  addQueues(root, act);
  addSignal(root, act);
  addAgents(root, current, act);
  addBroker(root, act);
  addConfig(root, act);
  addDoctor(root, act);
  addTrust(root, act);
  addCompletion(root, act);
  addHelp(root);
  return { command: root, session: current, exit: () => exit };
}

function configureRoot(root: Command, version: string): void {
  root
    .description('Durable queues for AI agents: enqueue documents, run them, get files.')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .configureHelp({ showGlobalOptions: true })
    .version(version, '--version', 'Print the version.')
    .helpOption('-h, --help', 'Show help.')
    .helpCommand(false)
    .option('--config <file>', 'Use this configuration file.')
    .option('--broker <address>', 'Broker to use: file:<folder>, unix:<path>, tcp://<host>:<port>.')
    .option('--trust', 'Let the folder send keys and run code, this time: aiq help trust.')
    .option('--json', 'Print results as JSON: one document, or one line per item.')
    .option('-q, --quiet', 'Print results and errors only.')
    .option('-v, --verbose', 'Print more, such as the place of an unexpected error.')
    .addOption(
      new Option('--color <when>', 'Colours on standard error.')
        .choices(['auto', 'always', 'never'])
        .env('AIQ_COLOR'),
    )
    .addHelpText(
      'after',
      `${examplesText([
        ['aiq enqueue summarize --input article.txt', 'add a job; prints its id'],
        ['aiq run --agents summarize --until-empty', 'do the queued jobs, then leave'],
        ['aiq enqueue summarize article.txt --wait', 'add a job, do it, print the result'],
        ['aiq demo', 'see it work, without a key or a network'],
      ])}

Topics: ${Object.keys(helpTopics)
        .map((topic) => `aiq help ${topic}`)
        .join(' · ')}`,
    );
}

function addHelp(root: Command): void {
  root
    .command('help')
    .description(`Show help for a command or a topic: ${Object.keys(helpTopics).join(', ')}.`)
    .argument('[topic...]')
    .addHelpText('after', examplesText([['aiq help exit-codes'], ['aiq help jobs list']]))
    .action((path: string[]) => {
      const topic = helpTopics[path.join(' ')];
      if (topic !== undefined) process.stdout.write(`${topic()}\n`);
      else commandAt(root, path).outputHelp();
    });
}

function commandAt(root: Command, path: readonly string[]): Command {
  let command = root;
  for (const name of path) {
    const next = command.commands.find(
      (sub) => sub.name() === name || sub.aliases().includes(name),
    );
    if (next === undefined)
      return root.error(`error: no help topic or command '${path.join(' ')}'`);
    command = next;
  }
  return command;
}
