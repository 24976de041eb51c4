/**
 * From flags to inputs that are ready to be checked. Own flags win over `--set`, that over `--data`;
 * files, patterns, `--text` and standard input fill the agent's primary property, one job each.
 */

import type { Agent, JsonObject } from '../../agent/index.ts';
import { CliError, usageError } from '../errors.ts';
import { expandSources, sourceName, stdinMark } from './sources.ts';
import { readStdin, stdinIsPiped, stdinName } from './stdin.ts';
import { readTextFile, shownName } from './text-file.ts';

/** The flags that say where input comes from; `inputs` are the positionals. */
export interface SourceFlags {
  readonly input?: readonly string[];
  readonly inputs: readonly string[];
  readonly text?: string;
}

/** An input on its way to a job: before its check as given, after it with defaults filled in. */
export interface Draft {
  readonly input: JsonObject;
  /** For `job.source`: a file's name without extension, or empty. */
  readonly source: string;
  /** For messages: the file, or empty when the whole input came from flags. */
  readonly origin: string;
}

/** The inputs of a command. Files are read when they are asked for, so that any number of them is possible. */
export interface Inputs {
  readonly count: number;
  /**
   * Reads some of them at once: `inputsAtOnce` at most. One that cannot be read is its error, which the
   * caller may report among others.
   */
  read(from: number, to: number): Promise<readonly (Draft | CliError)[]>;
}

/** Bounded, so that a thousand files do not need a thousand descriptors. */
export const inputsAtOnce = 16;

export interface InputOptions {
  /** Largest input. */
  readonly bytesMax: number;
  /** Asks whether so many files are meant. */
  readonly confirm: (files: number) => Promise<void>;
  /** Called with what is being waited for. */
  readonly note: (line: string) => void;
}

/**
 * One input per source, or a single one when all of it comes from flags.
 * @throws CliError for sources that contradict each other
 */
export async function findInputs(
  agent: Agent,
  base: JsonObject,
  flags: SourceFlags,
  options: InputOptions,
): Promise<Inputs> {
  const named = [...(flags.input ?? []), ...flags.inputs];
  const { primary } = agent.input;
  if (named.length === 0 && flags.text === undefined) {
    const isMissing =
      primary !== null && !Object.hasOwn(base, primary) && isRequired(agent, primary);
    if (!isMissing || !stdinIsPiped()) return single({ input: base, source: '', origin: '' });
    const text = await readStdin(options.bytesMax, options.note);
    return single({ input: { ...base, [primary]: text }, source: '', origin: stdinName });
  }
  if (primary === null) {
    throw usageError(
      `agent "${agent.name}" has no primary property for a text`,
      'Set input.primary in its agent.yaml, or use its flags, --set or --data.',
    );
  }
  refuseTwice(primary, base, named, flags.text);
  if (flags.text !== undefined) {
    return single({ input: { ...base, [primary]: flags.text }, source: '', origin: '' });
  }
  const sources = await expandSources(named);
  await options.confirm(sources.length);
  return fromSources(sources, options.bytesMax, (text) => ({ ...base, [primary]: text }));
}

function single(draft: Draft): Inputs {
  return { count: 1, read: () => Promise.resolve([draft]) };
}

function fromSources(
  sources: readonly string[],
  bytesMax: number,
  inputOf: (text: string) => JsonObject,
): Inputs {
  // Standard input comes once only.
  let stdin: Promise<string> | null = null;
  const textOf = (path: string): Promise<string> => {
    if (path === stdinMark) return (stdin ??= readStdin(bytesMax));
    const hint = `Is it the text itself? Then: --text ${JSON.stringify(shownName(path))}`;
    return readTextFile(path, bytesMax, hint);
  };
  const readOne = async (path: string): Promise<Draft | CliError> => {
    try {
      const input = inputOf(await textOf(path));
      if (path === stdinMark) return { input, source: '', origin: stdinName };
      return { input, source: sourceName(path), origin: path };
    } catch (error) {
      if (error instanceof CliError) return error;
      throw error;
    }
  };
  return {
    count: sources.length,
    read: (from, to) => Promise.all(sources.slice(from, to).map(readOne)),
  };
}

/** Only a required property is read from a pipe that the command does not mention. */
function isRequired({ input: { schema } }: Agent, property: string): boolean {
  const { required } = schema;
  return Array.isArray(required) && required.includes(property);
}

function refuseTwice(
  primary: string,
  base: JsonObject,
  named: readonly string[],
  text: string | undefined,
): void {
  const givers = [
    ...(Object.hasOwn(base, primary) ? ['a flag, --set or --data'] : []),
    ...(text === undefined ? [] : ['--text']),
    ...named.slice(0, 1),
  ];
  if (givers.length < 2) return;
  throw usageError(`"${primary}" is given twice: by ${givers.join(' and by ')}`, 'Give it once.');
}
