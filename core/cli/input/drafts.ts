/**
 * From flags to inputs that are ready to be checked. Own flags win over `--set`, that over `--data`;
 * files, patterns, `--text` and standard input fill the agent's primary property, one job each.
 */

import type { Agent, JsonObject } from '../../agent/index.ts';
import { CliError, formatReport, reportOf, usageError } from '../errors.ts';
import { expandSources, type Source } from './sources.ts';
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

export interface DraftOptions {
  /** Largest input. */
  readonly bytesMax: number;
  /** Asks whether so many files are meant. */
  readonly confirm: (files: number) => Promise<void>;
  /** Called with what is being waited for. */
  readonly note: (line: string) => void;
}

/**
 * One draft per source, or a single one when the whole input comes from flags.
 * @throws CliError for sources that contradict each other or cannot be read; all bad files at once
 */
export async function makeDrafts(
  agent: Agent,
  base: JsonObject,
  flags: SourceFlags,
  options: DraftOptions,
): Promise<Draft[]> {
  const named = [...(flags.input ?? []), ...flags.inputs];
  const { primary } = agent.input;
  if (named.length === 0 && flags.text === undefined) {
    const isMissing =
      primary !== null && !Object.hasOwn(base, primary) && isRequired(agent, primary);
    if (!isMissing || !stdinIsPiped()) return [{ input: base, source: '', origin: '' }];
    const text = await readStdin(options.bytesMax, options.note);
    return [{ input: { ...base, [primary]: text }, source: '', origin: stdinName }];
  }
  if (primary === null) {
    throw usageError(
      `agent "${agent.name}" has no primary property for a text`,
      'Set input.primary in its agent.yaml, or use its flags, --set or --data.',
    );
  }
  refuseTwice(primary, base, named, flags.text);
  if (flags.text !== undefined) {
    return [{ input: { ...base, [primary]: flags.text }, source: '', origin: '' }];
  }
  const sources = await expandSources(named);
  await options.confirm(sources.length);
  const texts = await readAll(sources, options.bytesMax);
  return texts.map(({ text, ...rest }) => ({ input: { ...base, [primary]: text }, ...rest }));
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

interface ReadSource {
  readonly text: string;
  readonly source: string;
  readonly origin: string;
}

/** Bounded, so that a thousand files do not need a thousand descriptors. */
const readsAtOnce = 16;

async function readAll(sources: readonly Source[], bytesMax: number): Promise<ReadSource[]> {
  const read: ReadSource[] = [];
  const failed: CliError[] = [];
  for (let from = 0; from < sources.length; from += readsAtOnce) {
    const batch = sources.slice(from, from + readsAtOnce);
    const settled = await Promise.allSettled(batch.map((source) => readOne(source, bytesMax)));
    for (const result of settled) {
      if (result.status === 'fulfilled') read.push(result.value);
      else if (result.reason instanceof CliError) failed.push(result.reason);
      else throw result.reason;
    }
  }
  const [first, second] = failed;
  if (first !== undefined && second === undefined) throw first;
  if (first !== undefined) {
    throw new CliError(
      'invalid',
      `${failed.length} of ${sources.length} inputs cannot be read; nothing was queued`,
      failed.flatMap((error) => formatReport(reportOf(error)).slice(0, 1)),
    );
  }
  return read;
}

async function readOne(source: Source, bytesMax: number): Promise<ReadSource> {
  if (source.kind === 'stdin') {
    return { text: await readStdin(bytesMax), source: '', origin: stdinName };
  }
  const hint = `Is it the text itself? Then: --text ${JSON.stringify(shownName(source.path))}`;
  const text = await readTextFile(source.path, bytesMax, hint);
  return { text, source: source.source, origin: source.path };
}
