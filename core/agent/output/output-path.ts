/**
 * Paths of results under the output folder. Only the agent's own pattern may contain a slash: each
 * value becomes one segment. What then still breaks a rule of `core/base/output-path.ts` is refused, as
 * `core/output` does again before it publishes.
 */

import { outputPathProblem, unprintable } from '../../base/index.ts';
import { shorten } from '../../yaml/index.ts';

/** Longest piece that one value puts into a path. */
const valueBytesMax = 100;
const awkward = /[<>:"|?*\\]/g;

export type PathResult =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly message: string };

/** The path in its clean form: no empty parts, nothing that some file system cannot store. */
export function cleanPath(rendered: string): PathResult {
  const refuse = (why: string): PathResult => ({
    ok: false,
    message: `the path ${shorten(rendered)} ${why}`,
  });
  const path = rendered.normalize('NFC').trim();
  if (/^[/\\~]|^[a-z]:/i.test(path)) return refuse('is absolute; it must lie in the output folder');
  const parts = path.split('/');
  if (parts.some((part) => /^\.\.[. ]*$/.test(part.trim()))) {
    return refuse('leaves the output folder ("..")');
  }
  const clean = parts
    .map((part) => part.replace(awkward, '-').replace(/^ +|[. ]+$/g, ''))
    .filter((part) => part !== '')
    .join('/');
  const problem = outputPathProblem(clean);
  return problem === null ? { ok: true, path: clean } : refuse(problem);
}

/** The same data with every text made fit to be one part of a path. */
export function asPathValues(value: unknown): unknown {
  if (typeof value === 'string') return asPathValue(value);
  if (Array.isArray(value)) return value.map(asPathValues);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asPathValues(item)]));
}

function asPathValue(text: string): string {
  const clean = text
    // A text of a megabyte is cut before it is searched.
    .slice(0, valueBytesMax * 4)
    .normalize('NFC')
    .replace(unprintable, ' ')
    .replaceAll(/[/<>:"|?*\\~]/g, '-')
    .replaceAll(/^[. ]+|[. ]+$/g, '');
  let bytes = 0;
  let end = 0;
  for (const character of clean) {
    bytes += Buffer.byteLength(character);
    if (bytes > valueBytesMax) break;
    end += character.length;
  }
  return clean.slice(0, end).replace(/[. ]+$/, '');
}
