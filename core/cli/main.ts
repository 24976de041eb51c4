/**
 * Entry of the command line: parses, runs one command, prints errors and returns the exit code.
 * Never throws, and exits the process itself only when standard output cannot be written.
 */

import { readFileSync } from 'node:fs';
import type { Command, CommanderError } from 'commander';
import { formatReport, reportOf } from './errors.ts';
import { type ExitName, exitCode } from './exit-codes.ts';
import { endOnUnwritableOutput } from './output/terminal.ts';
import { createProgram, type Program } from './program.ts';

/**
 * Runs one command line.
 * @param argv the arguments behind the program's name (`process.argv.slice(2)`)
 * @returns the exit code (see `exit-codes.ts`)
 */
export async function main(argv: readonly string[]): Promise<number> {
  endOnUnwritableOutput();
  const program = await createProgram(packageVersion(), argv);
  try {
    if (argv.length === 0) program.command.outputHelp();
    else await program.command.parseAsync(argv, { from: 'user' });
    return exitCode(program.exit());
  } catch (error) {
    return exitCode(await fail(program, argv, error));
  }
}

/** Read and not imported: the file lies outside the sources. */
function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** Codes of commander for help and version that were printed. */
const printed: ReadonlySet<string> = new Set(['commander.helpDisplayed', 'commander.version']);

async function fail(program: Program, argv: readonly string[], error: unknown): Promise<ExitName> {
  const code = isCommanderError(error) ? error.code : null;
  if (code !== null && printed.has(code)) return 'ok';
  if (code === 'commander.help') return 'usage';
  const { terminal } = program.session();
  const report = reportOf(error);
  const agentHint = code === 'commander.unknownCommand' ? await enqueueHint(program, argv) : [];
  const details = [...agentHint, ...report.details, ...helpHint(code, program.command, argv)];
  const [first = '', ...rest] = formatReport({
    exit: report.exit,
    message: report.message,
    details,
  });
  const lines = [`${terminal.paint('red', 'error:')} ${first}`, ...rest];
  if (terminal.verbose && error instanceof Error) lines.push('', error.stack ?? '');
  process.stderr.write(`${lines.join('\n')}\n`);
  return report.exit;
}

function isCommanderError(error: unknown): error is CommanderError {
  return error instanceof Error && error.name === 'CommanderError';
}

/** For `aiq summarize x`: suggests `enqueue` when an agent has that name. */
async function enqueueHint(program: Program, argv: readonly string[]): Promise<string[]> {
  const [name = '', ...rest] = program.command.args;
  if (name !== argv.find((arg) => arg === name)) return [];
  try {
    const { loadAgent } = await import('../agent/index.ts');
    await loadAgent(name, (await program.session().foundConfig()).agentPaths);
    return [`Did you mean: ${['aiq enqueue', name, ...rest].join(' ')}`];
  } catch {
    return [];
  }
}

/** Names the help of the command, with the agent's name where its flags matter. */
function helpHint(code: string | null, root: Command, argv: readonly string[]): string[] {
  if (code === null) return [];
  const names: string[] = [];
  let command = root;
  for (const arg of argv) {
    const next = command.commands.find((sub) => sub.name() === arg || sub.aliases().includes(arg));
    if (next === undefined) {
      const takesAgent = command.registeredArguments[0]?.name() === 'agent';
      if (takesAgent && !arg.startsWith('-')) names.push(arg);
      break;
    }
    names.push(next.name());
    command = next;
  }
  return [`See: ${['aiq', ...names, '--help'].join(' ')}`];
}
