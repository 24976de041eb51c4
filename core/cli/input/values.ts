/** Parses flag values: durations, times, counts, sizes, paths, `k=v`, `k:=json`, `@file`, JSON. */

import type { JsonObject } from '../../agent/index.ts';
import {
  parseCount as countOf,
  durationProblem,
  parseDuration,
  parseSize as sizeOf,
} from '../../base/index.ts';
import { parsePath, ValueError } from '../../config/index.ts';
import { type LostNumber, lostText, readJson } from '../../yaml/index.ts';
import { inputError, usageError } from '../errors.ts';
import { readStdin } from './stdin.ts';
import { readTextFile, shownName } from './text-file.ts';

/**
 * `90s`, `5m`, `250ms`, `1h`, `2d` in milliseconds.
 * @throws CliError `usage`
 */
export function readDuration(flag: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== null) return ms;
  throw usageError(
    `${flag}: ${JSON.stringify(text)} ${durationProblem(text)}`,
    'Examples: 250ms, 90s, 5m, 1h, 2d',
  );
}

const isoTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;

/**
 * A moment, milliseconds since 1970: an ISO 8601 time or date (local where it names no zone), or a
 * duration such as `10m`, counted from now on, or back from now.
 * @throws CliError `usage`
 */
export function parseMoment(
  flag: string,
  text: string,
  { nowMs, durations }: { readonly nowMs: number; readonly durations: 'ahead' | 'ago' },
): number {
  if (/^\d+(\.\d+)?[a-z]+$/.test(text)) {
    const ms = readDuration(flag, text);
    return durations === 'ahead' ? nowMs + ms : Math.max(0, nowMs - ms);
  }
  const isDate = !text.includes('T');
  const atMs = isoTime.test(text) ? Date.parse(isDate ? `${text}T00:00` : text) : Number.NaN;
  if (atMs >= 0) return atMs;
  throw usageError(
    `${flag}: ${JSON.stringify(text)} is not a time`,
    'Examples: 10m, 2h, 3d, 2026-11-30, 2026-11-30T08:00:00Z',
  );
}

/**
 * A whole number within bounds.
 * @throws CliError `usage`
 */
export function parseCount(flag: string, text: string, max: number): number {
  const count = countOf(text, 1, max);
  if (count !== null) return count;
  throw usageError(`${flag}: ${JSON.stringify(text)} is not a whole number from 1 to ${max}`);
}

/**
 * `500MiB`, `2GiB`, `4096` in bytes.
 * @throws CliError `usage`
 */
export function parseSize(flag: string, text: string): number {
  const bytes = sizeOf(text);
  if (bytes !== null) return bytes;
  throw usageError(`${flag}: ${JSON.stringify(text)} is not a size`, 'Examples: 500MiB, 2GiB');
}

/**
 * A path of the command line, absolute.
 * @throws CliError `usage` for what a shell did not fill in, such as `--dir=~/broker`
 */
export function readPath(text: string): string {
  try {
    return parsePath(text, process.cwd());
  } catch (error) {
    throw error instanceof ValueError ? usageError(error.message) : error;
  }
}

/** Whether the value at a path of the input is secret. */
export type IsHidden = (path: readonly string[]) => boolean;

const shown: IsHidden = () => false;

/** What is wrong with a number that cannot be kept. */
export function lostNumberText({ path, text }: LostNumber, isHidden: IsHidden): string {
  if (!isHidden(path)) return lostText(text);
  return 'is secret, so it is not shown; it is more than a number can hold; write it as text, in quotes';
}

/** `--set`: text to convert by the schema, or a JSON value. */
export type Assignment =
  | { readonly property: string; readonly text: string }
  | { readonly property: string; readonly value: unknown };

/**
 * `key=text` or `key:=json`.
 * @throws CliError `usage` without a `=`, `invalid` when the JSON does not parse
 */
export function parseAssignment(argument: string, isHidden: IsHidden = shown): Assignment {
  const match = /^([^=]+?)(:?)=([^]*)$/.exec(argument);
  const [, property, typed, text] = match ?? [];
  if (property === undefined || property === ':' || text === undefined) {
    throw usageError(
      `--set ${JSON.stringify(argument)} is not key=value`,
      'Examples: --set style=prose, or --set points:=7 for JSON',
    );
  }
  if (typed === '') return { property, text };
  return {
    property,
    value: parseJson(text, `--set ${property}:=`, (path) => isHidden([property, ...path])),
  };
}

/**
 * The value of `--data`: JSON, `@file` or `-`.
 * @throws CliError `invalid` when it is no JSON object
 */
export async function readDataObject(
  argument: string,
  bytesMax: number,
  isHidden: IsHidden = shown,
): Promise<JsonObject> {
  const text =
    argument === '-' ? await readStdin(bytesMax) : await readAt(argument, bytesMax, '--data ');
  const value = parseJson(text, '--data', isHidden);
  if (!isJsonObject(value)) {
    throw inputError(
      '--data is not a JSON object',
      'Examples: --data \'{"text": "…"}\' or --data @file.json',
    );
  }
  return value;
}

/**
 * `@file` reads the file, `@-` standard input, `@@x` is a literal `@x`; anything else is itself.
 * @param before what stood in front of the value, such as `--style `, for messages
 */
export async function readAt(value: string, bytesMax: number, before = ''): Promise<string> {
  if (!value.startsWith('@')) return value;
  if (value.startsWith('@@')) return value.slice(1);
  if (value === '@-') return readStdin(bytesMax);
  const name = shownName(value);
  const hint = `${before}${name} reads a file. Is it the text itself? Then: ${before}@${name}`;
  return readTextFile(value.slice(1), bytesMax, hint);
}

/**
 * @throws CliError `invalid` that names `what` and the place
 */
export function parseJson(text: string, what: string, isHidden: IsHidden = shown): unknown {
  let read: ReturnType<typeof readJson>;
  try {
    read = readJson(text);
  } catch (error) {
    throw inputError(`${what} is not JSON: ${(error as Error).message}`);
  }
  const [first] = read.lost;
  if (first === undefined) return read.value;
  const place = [what, first.path.join('.')].join(' ').trim();
  throw inputError(`${place} ${lostNumberText(first, isHidden)}`);
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
