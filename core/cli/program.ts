/**
 * The tree of commands. `commands/<noun>/<verb>.ts` declares flags and help with commander alone,
 * so that `--help` is quick; an action loads what it needs when it runs.
 */

import { Command, Option } from 'commander';
import type { Overrides } from '../config/index.ts';
import { addAgents } from './commands/agents/index.ts';
import { addBroker } from './commands/broker/index.ts';
import { addCompletion } from './commands/completion/completion.ts';
import { addConfig } from './commands/config/index.ts';
import { addDead } from './commands/dead.ts';
import { addDemo } from './commands/demo.ts';
import { addDoctor } from './commands/doctor/doctor.ts';
import { addEnqueue } from './commands/enqueue/enqueue.ts';
import { addHelp } from './commands/help.ts';
import { helpTopics } from './commands/help-topics.ts';
import { addInit } from './commands/init.ts';
import { addJobs } from './commands/jobs/index.ts';
import { addQueues } from './commands/queues/index.ts';
import { addRun } from './commands/run.ts';
import { addSignal } from './commands/signal.ts';
import { addTail } from './commands/tail.ts';
import { addTrust } from './commands/trust.ts';
import { examplesText } from './examples.ts';
import type { ExitName } from './exit-codes.ts';
import { createSession, type GlobalFlags, type RunAction, type Session } from './session.ts';

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
  const run: RunAction = async (work, overrides) => {
    try {
      exit = await work(current(overrides));
    } finally {
      await session?.close();
    }
  };
  configureRoot(root, version);
  addEnqueue(root, current, run);
  addRun(root, run);
  addTail(root, run);
  addDemo(root, run);
  addInit(root, run);
  addJobs(root, run);
  addDead(root, run);
  addQueues(root, run);
  addSignal(root, run);
  addAgents(root, current, run);
  addBroker(root, run);
  addConfig(root, run);
  addDoctor(root, run);
  addTrust(root, run);
  addCompletion(root, run);
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
    .option(
      '--trust',
      'Allow the folder to send keys and run code, for this command: aiq help trust.',
    )
    .option('--json', 'Print results as JSON: one document, or one line per item.')
    .option('-q, --quiet', 'Print results and errors only.')
    .option('-v, --verbose', 'Print more, such as the stack trace of an unexpected error.')
    .addOption(
      new Option('--color <when>', 'Colours on standard error.')
        .choices(['auto', 'always', 'never'])
        .env('AIQ_COLOR'),
    )
    .addHelpText(
      'after',
      `${examplesText([
        ['aiq enqueue summarize --input article.txt', 'add a job; prints its id'],
        ['aiq run --agents summarize --until-empty', 'run the queued jobs, then exit'],
        ['aiq enqueue summarize article.txt --wait', 'add a job, run it, print the result'],
        ['aiq demo', 'try it without a key or a network'],
      ])}

Topics: ${Object.keys(helpTopics)
        .map((topic) => `aiq help ${topic}`)
        .join(' · ')}`,
    );
}
