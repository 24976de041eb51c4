/**
 * The tree of commands. `commands/<noun>/<verb>.ts` declares flags and help with commander alone,
 * so that `--help` is quick; an action loads what it needs when it runs, and a command its own family.
 */

import { Command, Help, Option } from 'commander';
import type { Overrides } from '../config/index.ts';
import { helpTopics } from './commands/help-topics.ts';
import { examplesText } from './examples.ts';
import type { ExitName } from './exit-codes.ts';
import { type Family, families } from './families.ts';
import { createSession, type GlobalFlags, type RunAction, type Session } from './session.ts';

/** A built program; `exit` says how its action ended once `parseAsync` resolved. */
export interface Program {
  readonly command: Command;
  readonly session: () => Session;
  readonly exit: () => ExitName;
}

const aliases: Readonly<Record<string, string>> = { add: 'enqueue' };
/** Agents show and check the flags that enqueue leaves to their inputs. */
const needs: Readonly<Record<string, readonly string[]>> = { agents: ['enqueue', 'agents'] };
/** These walk the whole tree. */
const walkers: ReadonlySet<string> = new Set(['help', 'completion']);

/** The families that these arguments need: all, where the command that they name is not known. */
function familiesOf(root: Command, argv: readonly string[]): [string, Family][] {
  const name = commandIn(root, argv);
  if (name === undefined) return [];
  const family = aliases[name] ?? name;
  const all = Object.entries(families);
  if (!Object.hasOwn(families, family) || walkers.has(family)) return all;
  const needed = needs[family] ?? [family];
  return all.filter(([one]) => needed.includes(one));
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
  const outline = listFamilies(root);
  const needed = familiesOf(root, argv);
  const loaded = await Promise.all(needed.map(async ([, { load }]) => load()));
  for (const add of loaded) add({ root, current, run });
  for (const [name, { summary }] of needed) {
    root.commands.find((one) => one.name() === name)?.description(summary);
  }
  if (needed.length === 0) for (const command of outline) root.addCommand(command);
  return { command: root, session: current, exit: () => exit };
}

/** Has the help of aiq list all commands, loaded or not, and returns what it lists. */
function listFamilies(root: Command): readonly Command[] {
  const outline = Object.entries(families).map(([name, { summary }]) =>
    new Command(name).description(summary),
  );
  const help = Help.prototype;
  root.usage('[options] [command]').configureHelp({
    showGlobalOptions: true,
    visibleCommands(command) {
      return command === root ? [...outline] : help.visibleCommands.call(this, command);
    },
    subcommandTerm(command) {
      const family = outline.includes(command) ? families[command.name()] : undefined;
      return family?.term ?? help.subcommandTerm.call(this, command);
    },
  });
  return outline;
}

function configureRoot(root: Command, version: string): void {
  root
    .description('Durable queues for AI agents: enqueue documents, run them, get files.')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
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
