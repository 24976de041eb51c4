/**
 * The tree of commands. `commands/<noun>/<verb>.ts` declares flags and help with commander alone,
 * so that `--help` is quick; an action loads what it needs when it runs, and a command its own family.
 */

import { Command, Option } from 'commander';
import type { Overrides } from '../config/index.ts';
import { helpTopics } from './commands/help-topics.ts';
import { examplesText } from './examples.ts';
import type { ExitName } from './exit-codes.ts';
import { createSession, type GlobalFlags, type RunAction, type Session } from './session.ts';

/** A built program; `exit` says how its action ended once `parseAsync` resolved. */
export interface Program {
  readonly command: Command;
  readonly session: () => Session;
  readonly exit: () => ExitName;
}

interface Adding {
  readonly root: Command;
  readonly current: (overrides?: Overrides) => Session;
  readonly run: RunAction;
}

type Load = () => Promise<(adding: Adding) => void>;

/** The families of commands in the order of the help: a command needs its own alone. */
const families: Readonly<Record<string, Load>> = {
  enqueue: async () => {
    const { addEnqueue } = await import('./commands/enqueue/enqueue.ts');
    return ({ root, current, run }) => addEnqueue(root, current, run);
  },
  run: async () => {
    const { addRun } = await import('./commands/run.ts');
    return ({ root, run }) => addRun(root, run);
  },
  tail: async () => {
    const { addTail } = await import('./commands/tail.ts');
    return ({ root, run }) => addTail(root, run);
  },
  demo: async () => {
    const { addDemo } = await import('./commands/demo.ts');
    return ({ root, run }) => addDemo(root, run);
  },
  init: async () => {
    const { addInit } = await import('./commands/init.ts');
    return ({ root, run }) => addInit(root, run);
  },
  jobs: async () => {
    const { addJobs } = await import('./commands/jobs/index.ts');
    return ({ root, run }) => addJobs(root, run);
  },
  dead: async () => {
    const { addDead } = await import('./commands/dead.ts');
    return ({ root, run }) => addDead(root, run);
  },
  outputs: async () => {
    const { addOutputs } = await import('./commands/outputs/index.ts');
    return ({ root, run }) => addOutputs(root, run);
  },
  queues: async () => {
    const { addQueues } = await import('./commands/queues/index.ts');
    return ({ root, run }) => addQueues(root, run);
  },
  signal: async () => {
    const { addSignal } = await import('./commands/signal.ts');
    return ({ root, run }) => addSignal(root, run);
  },
  agents: async () => {
    const { addAgents } = await import('./commands/agents/index.ts');
    return ({ root, current, run }) => addAgents(root, current, run);
  },
  broker: async () => {
    const { addBroker } = await import('./commands/broker/index.ts');
    return ({ root, run }) => addBroker(root, run);
  },
  config: async () => {
    const { addConfig } = await import('./commands/config/index.ts');
    return ({ root, run }) => addConfig(root, run);
  },
  doctor: async () => {
    const { addDoctor } = await import('./commands/doctor/doctor.ts');
    return ({ root, run }) => addDoctor(root, run);
  },
  trust: async () => {
    const { addTrust } = await import('./commands/trust.ts');
    return ({ root, run }) => addTrust(root, run);
  },
  completion: async () => {
    const { addCompletion } = await import('./commands/completion/completion.ts');
    return ({ root, run }) => addCompletion(root, run);
  },
  help: async () => {
    const { addHelp } = await import('./commands/help.ts');
    return ({ root }) => addHelp(root);
  },
};

const aliases: Readonly<Record<string, string>> = { add: 'enqueue' };
/** Agents show and check the flags that enqueue leaves to their inputs. */
const needs: Readonly<Record<string, readonly string[]>> = { agents: ['enqueue', 'agents'] };
/** These walk the whole tree. */
const walkers: ReadonlySet<string> = new Set(['help', 'completion']);

/** What must be loaded for these arguments: all, where no known command is named. */
function familiesOf(root: Command, argv: readonly string[]): readonly Load[] {
  const name = commandIn(root, argv) ?? '';
  const family = aliases[name] ?? name;
  if (!Object.hasOwn(families, family) || walkers.has(family)) return Object.values(families);
  return (needs[family] ?? [family]).flatMap((one) => families[one] ?? []);
}

/** The first argument that is neither a flag of all commands nor its value. */
function commandIn({ options }: Command, argv: readonly string[]): string | undefined {
  const withValue = new Set(options.filter(({ required }) => required).map(({ long }) => long));
  return argv.find((arg, at) => !arg.startsWith('-') && !withValue.has(argv[at - 1] ?? ''));
}

/** @param argv the arguments: of a command that they name, no other family is loaded */
export async function createProgram(version: string, argv: readonly string[]): Promise<Program> {
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
  const loaded = await Promise.all(familiesOf(root, argv).map((load) => load()));
  for (const add of loaded) add({ root, current, run });
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
