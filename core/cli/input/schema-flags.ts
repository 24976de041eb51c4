/**
 * The properties of an agent's input schema as flags. The command line is parsed in two steps: as
 * far as the agent's name, which says which agent to load, and then with that agent's flags, so
 * that help, suggestions and negative numbers come from commander.
 */

import { type Command, Option } from 'commander';
import type { Agent, SchemaFlag } from '../../agent/index.ts';
import { usageError } from '../errors.ts';
import type { Session } from '../session.ts';

/** A flag as it was typed: its property and its text. */
export interface TypedFlag {
  readonly flag: SchemaFlag;
  readonly text: string;
}

/** What the first step found: the agent, and the values that its flags collect during parsing. */
export interface Invocation {
  agent: Agent | null;
  flags: TypedFlag[];
}

/** The agent that the first step loaded. @throws CliError `usage` when none was named */
export function agentOf(invocation: Invocation): Agent {
  if (invocation.agent === null) throw usageError('the name of an agent is missing');
  return invocation.agent;
}

/** For flags that may be repeated. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** For flags that may be given once: otherwise the last would silently win. */
export function once(flag: string, fix: string): (value: string, before?: string) => string {
  return (value, before) => {
    if (before !== undefined) throw usageError(`${flag} is given twice`, fix);
    return value;
  };
}

/** Flags that every command with inputs has. */
export function addInputFlags(command: Command): Command {
  return command
    .option('--input <file>', 'A file, a pattern, or -; may be repeated.', collect)
    .option(
      '--text <text>',
      'The text itself, for the primary property.',
      once('--text', 'A text is one job: run the command once for each, or use --jsonl.'),
    )
    .option('--set <key=value>', 'Set a property; key:=value takes JSON.', collect)
    .option(
      '--data <json>',
      'The whole input as JSON, @file or -.',
      once('--data', 'An input is one job: run the command once for each, or use --jsonl.'),
    );
}

/**
 * First step: loads the agent that `args` name and gives its flags to the command.
 * @throws UnknownAgentError, BrokenAgentError, ConfigError; CliError when a flag that only the
 *   agent defines precedes its name
 */
export async function prepareInputs(
  command: Command,
  args: readonly string[],
  session: Session,
  invocation: Invocation,
): Promise<void> {
  const name = firstOperand(command, args);
  if (name === null) return;
  const { flaglessProperties, loadAgent, schemaFlags } = await import('../../agent/index.ts');
  const { agentPaths, limits } = await session.config();
  const agent = await loadAgent(name, agentPaths, limits);
  invocation.agent = agent;
  const reserved = reservedFlags(command);
  const table: FlagTable = { taken: new Set(reserved), typed: invocation.flags };
  const flags = schemaFlags(agent);
  command.optionsGroup(`Input of ${agent.name}:`);
  for (const flag of flags) {
    if (!reserved.has(`--${flag.flag}`)) addFlag(command, flag, table);
  }
  const setOnly = [
    ...flags.filter((flag) => isHidden(agent, flag, reserved)),
    ...flaglessProperties(agent),
  ];
  if (setOnly.length > 0) command.addHelpText('after', setOnlyHelp(agent, setOnly));
}

/** Whether the property's flag is taken by a flag of aiq. */
export function isHidden(
  { input: { primary } }: Agent,
  { flag, property }: SchemaFlag,
  reserved: ReadonlySet<string>,
): boolean {
  const isSame = property === primary && (flag === 'text' || flag === 'input');
  return reserved.has(`--${flag}`) && !isSame;
}

/**
 * Flags that no property can have, whatever command takes the input: those of `enqueue` and of aiq
 * itself. So a flag of an agent means the same in `enqueue` and `agents render`.
 */
export function reservedFlags(command: Command): Set<string> {
  const above = ancestry(command);
  const enqueue = above.at(-1)?.commands.find((sub) => sub.name() === 'enqueue');
  const options = [...above, ...(enqueue === undefined ? [] : [enqueue])].flatMap(
    (one) => one.options,
  );
  return new Set(['--help', ...options.flatMap(({ long }) => long ?? [])]);
}

function setOnlyHelp(agent: Agent, setOnly: readonly SchemaFlag[]): string {
  const rows = setOnly.map((flag) => {
    const text = [flag.description, ...notes({ ...flag, type: 'string' })].join(' ').trim();
    // Here a text is never the name of a file.
    const value = valueName({ ...flag, fromFile: false });
    return `  --set ${flag.property}=<${value}>  ${text}`.trimEnd();
  });
  return ['', `Input of ${agent.name} without a flag of its own:`, ...rows].join('\n');
}

function ancestry(command: Command): Command[] {
  return command.parent === null ? [command] : [command, ...ancestry(command.parent)];
}

/** The agent's name: the first argument that is neither a flag nor the value of one. */
function firstOperand(command: Command, args: readonly string[]): string | null {
  let skipped: string | null = null;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? '';
    if (arg === '--') return args[at + 1] ?? null;
    if (!arg.startsWith('-') || arg === '-') {
      if (skipped === null) return arg;
      throw usageError(
        `the agent's name must come before ${skipped}`,
        `Example: aiq ${command.name()} <agent> ${skipped} …`,
      );
    }
    const known = command.options.find(({ long, short }) => long === arg || short === arg);
    if (known?.required === true) at++;
    else if (known === undefined && !isHelp(arg) && !arg.includes('=')) skipped ??= arg;
  }
  return null;
}

function isHelp(arg: string): boolean {
  return arg === '-h' || arg === '--help';
}

/**
 * Values are collected as they are parsed and checked later, all together: a bad one is bad input
 * (every problem listed), not a usage error (the first one).
 */
function addFlag(command: Command, flag: SchemaFlag, { taken, typed }: FlagTable): void {
  const spellings = [flag.flag, ...flag.aliases];
  for (const { option, text } of spellings.flatMap((name) => optionsOf(flag, name))) {
    // Aliases and `--no-…` do not replace an existing flag.
    if (option.long === undefined || taken.has(option.long)) continue;
    taken.add(option.long);
    command.addOption(option);
    command.on(`option:${option.name()}`, (value: string | null) => {
      typed.push({ flag, text: text ?? value ?? '' });
    });
  }
}

interface FlagTable {
  /** Names that are in use; grows. */
  readonly taken: Set<string>;
  /** Receives the values as they are parsed. */
  readonly typed: TypedFlag[];
}

interface FlagOption {
  readonly option: Option;
  /** The text for a flag without a value. */
  readonly text: string | null;
}

function optionsOf(flag: SchemaFlag, name: string): FlagOption[] {
  const isAlias = name !== flag.flag;
  if (flag.type === 'boolean') {
    return [
      { option: described(new Option(`--${name}`), flag).hideHelp(isAlias), text: 'true' },
      { option: new Option(`--no-${name}`).hideHelp(), text: 'false' },
    ];
  }
  const option = new Option(`--${name} <${valueName(flag)}>`);
  return [{ option: described(option, flag).hideHelp(isAlias), text: null }];
}

function described(option: Option, flag: SchemaFlag): Option {
  option.description = [flag.description, ...notes(flag)].filter((text) => text !== '').join(' ');
  return option;
}

function notes(flag: SchemaFlag): string[] {
  const facts = [
    ...(flag.required ? ['required'] : []),
    ...(flag.enum === null ? [] : [`one of ${flag.enum.map(plain).join(', ')}`]),
    ...(flag.type === 'array' ? ['may be repeated'] : []),
    ...(flag.type === 'boolean' ? [`--no-${flag.flag} for false`] : []),
    ...(flag.default === undefined || flag.default === ''
      ? []
      : [`default ${plain(flag.default)}`]),
  ];
  return facts.length === 0 ? [] : [`(${facts.join('; ')})`];
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const valueNames = { string: 'text', integer: 'n', number: 'n', object: 'json' } as const;

function valueName({ fromFile, type, itemType }: SchemaFlag): string {
  if (fromFile) return 'file';
  const valueType = type === 'array' ? (itemType ?? 'string') : type;
  return valueType in valueNames ? valueNames[valueType as keyof typeof valueNames] : 'value';
}
