/**
 * JSON lines: one job per line, either the bare input or `{"input": {…}, "id": "…", "agent": "…"}`.
 * Reads as a stream, so that a file of a million lines takes little memory. A bad line is reported
 * with its number and the others go on.
 */

import type { JsonObject } from '../../agent/index.ts';
import { readJson } from '../../yaml/index.ts';
import { type IsHidden, isJsonObject, lostNumberText } from './values.ts';

/** One line that is not blank: its job, or what is wrong with it. */
export type JsonLine =
  | { readonly line: number; readonly input: JsonObject; readonly id: string | null }
  | { readonly line: number; readonly problem: string };

interface LineOptions {
  readonly agent: string;
  readonly lineBytesMax: number;
  /** Default: everything may be shown. */
  readonly isHidden?: IsHidden;
  /** Whether it is valid input of the agent; distinguishes both forms when a property is called `input`. */
  readonly fits?: (input: JsonObject) => boolean;
}

const newline = 0x0a;
const envelopeKeys = new Set(['input', 'id', 'agent']);

/** Reads all lines; one over `lineBytesMax` is a bad line, and its bytes are not kept. */
export async function* readJsonLines(
  chunks: AsyncIterable<Uint8Array>,
  options: LineOptions,
): AsyncGenerator<JsonLine> {
  let line = 0;
  for await (const bytes of splitLines(chunks, options.lineBytesMax)) {
    line++;
    if (bytes === null) {
      yield { line, problem: `is longer than ${options.lineBytesMax} bytes` };
      continue;
    }
    const parsed = parseLine(bytes, options);
    if (parsed !== null) yield { line, ...parsed };
  }
}

type Parsed = { input: JsonObject; id: string | null } | { problem: string };

function parseLine(
  bytes: Uint8Array,
  { agent, isHidden = () => false, fits = () => false }: LineOptions,
): Parsed | null {
  let value: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (text.trim() === '') return null;
    const { value: read, lost } = readJson(text);
    const [first] = lost;
    if (first !== undefined) {
      // An envelope has the input one step further down.
      const isSecret: IsHidden = (path) => isHidden(path) || isHidden(path.slice(1));
      return { problem: `${first.path.join('.')} ${lostNumberText(first, isSecret)}` };
    }
    value = read;
  } catch (error) {
    return {
      problem: error instanceof SyntaxError ? `is not JSON: ${error.message}` : 'is not UTF-8',
    };
  }
  if (!isJsonObject(value)) return { problem: 'is not a JSON object' };
  return isEnvelope(value, fits) ? openEnvelope(value, agent) : { input: value, id: null };
}

function isEnvelope(value: JsonObject, fits: (input: JsonObject) => boolean): boolean {
  const { input } = value;
  if (!isJsonObject(input) || !Object.keys(value).every((key) => envelopeKeys.has(key)))
    return false;
  return fits(input) || !fits(value);
}

function openEnvelope(envelope: JsonObject, agent: string): Parsed {
  const { id = null, agent: named = agent } = envelope;
  if (named !== agent) {
    return { problem: `is for agent ${JSON.stringify(named)}, not ${JSON.stringify(agent)}` };
  }
  // Ids that are no proper text would become one in UTF-8.
  if (id !== null && (typeof id !== 'string' || id === '' || !id.isWellFormed()))
    return { problem: 'has an id that is not text' };
  return { input: envelope['input'] as JsonObject, id };
}

/** Lines without their end; null for one that is too long. */
async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<Uint8Array | null> {
  let parts: Uint8Array[] = [];
  let size = 0;
  const take = (): Uint8Array | null => {
    const whole = size > bytesMax ? null : Buffer.concat(parts);
    parts = [];
    size = 0;
    return whole;
  };
  const add = (part: Uint8Array): void => {
    size += part.length;
    if (size <= bytesMax) parts.push(part);
    else parts = [];
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
      add(chunk.subarray(from, at));
      yield take();
      from = at + 1;
    }
    add(chunk.subarray(from));
  }
  if (size > 0) yield take();
}
