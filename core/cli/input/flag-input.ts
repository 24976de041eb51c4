/** The input from flags: `--data`, overridden by `--set`, overridden by the properties' own flags. */

import {
  type Agent,
  convertFlag,
  flaglessProperties,
  type InputProblem,
  isSecretPlace,
  type JsonObject,
  type SchemaFlag,
  schemaFlags,
} from '../../agent/index.ts';
import { usageError } from '../errors.ts';
import type { TypedFlag } from './schema-flags.ts';
import { readStdin } from './stdin.ts';
import { readTextFile, shownName } from './text-file.ts';
import { type IsHidden, parseAssignment, readAt, readDataObject } from './values.ts';

/** Values by property, and the texts that are no value of their property's type. */
export interface FlagInput {
  readonly input: JsonObject;
  readonly problems: readonly InputProblem[];
}

/** @throws CliError when a file cannot be read, `--data` is no object or `--set` is malformed */
export async function readFlagInput(
  agent: Agent,
  typed: readonly TypedFlag[],
  flags: { readonly set?: readonly string[]; readonly data?: string },
  bytesMax: number,
): Promise<FlagInput> {
  const isHidden: IsHidden = (path) => isSecretPlace(agent.input.schema, path);
  const data = flags.data === undefined ? {} : await readDataObject(flags.data, bytesMax, isHidden);
  const set = await readAssignments(agent, flags.set ?? [], bytesMax);
  const own = await convertAll(typed, (flag, text) => textOf(flag, text, bytesMax));
  return {
    input: { ...data, ...set.input, ...own.input },
    problems: [...set.problems, ...own.problems],
  };
}

async function readAssignments(
  agent: Agent,
  assignments: readonly string[],
  bytesMax: number,
): Promise<FlagInput> {
  const flags = [...schemaFlags(agent), ...flaglessProperties(agent)];
  const known = new Map(flags.map((flag) => [flag.property, flag]));
  const textOfSet = (property: string, text: string): Promise<string> =>
    readAt(text, bytesMax, `--set ${property}=`);
  const input: JsonObject = {};
  const typed: TypedFlag[] = [];
  const isHidden: IsHidden = (path) => isSecretPlace(agent.input.schema, path);
  for (const assignment of assignments.map((text) => parseAssignment(text, isHidden))) {
    const { property } = assignment;
    const flag = known.get(property);
    const isTyped = typed.some((one) => one.flag === flag);
    if (Object.hasOwn(input, property) || ('value' in assignment && isTyped)) {
      throw usageError(`--set ${property} is given twice`, 'Give it once.');
    }
    if ('text' in assignment && flag !== undefined) {
      typed.push({ flag, text: assignment.text });
      continue;
    }
    // What the schema does not name goes as text; it says whether that fits.
    input[property] =
      'value' in assignment ? assignment.value : await textOfSet(property, assignment.text);
  }
  // Here a text is the text itself even for a property that has a flag for a file.
  const converted = await convertAll(typed, ({ property }, text) => textOfSet(property, text));
  return { input: { ...input, ...converted.input }, problems: converted.problems };
}

async function convertAll(
  typed: readonly TypedFlag[],
  read: (flag: SchemaFlag, text: string) => Promise<string>,
): Promise<FlagInput> {
  const input: JsonObject = {};
  const problems: InputProblem[] = [];
  for (const [flag, entries] of Map.groupBy(typed, (entry) => entry.flag)) {
    const texts: string[] = [];
    for (const { text } of entries) texts.push(await read(flag, text));
    const converted = convertFlag(flag, texts);
    if (converted.ok) input[flag.property] = converted.value;
    else problems.push(...converted.problems);
  }
  return { input, problems };
}

function textOf(flag: SchemaFlag, text: string, bytesMax: number): Promise<string> {
  const name = `--${flag.flag}`;
  if (!flag.fromFile) return readAt(text, bytesMax, `${name} `);
  if (text === '-') return readStdin(bytesMax);
  const itself = `--set ${flag.property}=${JSON.stringify(shownName(text))}`;
  return readTextFile(
    text,
    bytesMax,
    `${name} names a file. Is it the text itself? Then: ${itself}`,
  );
}
