/** What flags say about the input: `--data`, then `--set`, then the properties' own flags on top. */

import {
  type Agent,
  convertFlag,
  type InputProblem,
  type JsonObject,
  type SchemaFlag,
  schemaFlags,
} from '../../agent/index.ts';
import type { TypedFlag } from '../schema-flags.ts';
import { readStdin } from './stdin.ts';
import { readTextFile } from './text-file.ts';
import { parseAssignment, readAt, readDataObject } from './values.ts';

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
  const data = flags.data === undefined ? {} : await readDataObject(flags.data, bytesMax);
  const set = await readAssignments(agent, flags.set ?? [], bytesMax);
  const own = await convertAll(typed, bytesMax);
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
  // Here a text is the text itself even for a property that has a flag for a file.
  const known = new Map(
    schemaFlags(agent).map((flag) => [flag.property, { ...flag, fromFile: false }]),
  );
  const input: JsonObject = {};
  const typed: TypedFlag[] = [];
  for (const assignment of assignments.map(parseAssignment)) {
    if ('value' in assignment) input[assignment.property] = assignment.value;
    else {
      const flag = known.get(assignment.property);
      if (flag !== undefined) typed.push({ flag, text: assignment.text });
      // What no flag stands for goes as text; the schema says whether it fits.
      else input[assignment.property] = await readAt(assignment.text, bytesMax);
    }
  }
  const converted = await convertAll(typed, bytesMax);
  return { input: { ...input, ...converted.input }, problems: converted.problems };
}

async function convertAll(typed: readonly TypedFlag[], bytesMax: number): Promise<FlagInput> {
  const input: JsonObject = {};
  const problems: InputProblem[] = [];
  for (const [flag, entries] of Map.groupBy(typed, (entry) => entry.flag)) {
    const texts: string[] = [];
    for (const { text } of entries) texts.push(await textOf(flag, text, bytesMax));
    const converted = convertFlag(flag, texts);
    if (converted.ok) input[flag.property] = converted.value;
    else problems.push(converted.problem);
  }
  return { input, problems };
}

function textOf(flag: SchemaFlag, text: string, bytesMax: number): Promise<string> {
  if (!flag.fromFile) return readAt(text, bytesMax);
  return text === '-' ? readStdin(bytesMax) : readTextFile(text, bytesMax);
}
