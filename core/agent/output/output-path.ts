/**
 * Paths of results under the output folder. Only the agent's own pattern may contain a slash: each
 * value becomes one segment. What then still leaves the folder, or could not be stored on every
 * system, is refused. The last word (links, existing files) has `core/output`.
 */

import { shorten } from '../../yaml/index.ts';

const segmentBytesMax = 200;
const segmentsMax = 32;
const pathBytesMax = 1024;
/** Longest piece that one value puts into a path. */
const valueBytesMax = 100;

const reservedName = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)/i;
/** Control characters, line separators, and marks that turn the direction of writing. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;
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
  if (path.search(unprintable) !== -1) return refuse('has a control character');
  const segments: string[] = [];
  for (const part of path.split('/')) {
    if (/^\.\.[. ]*$/.test(part.trim())) return refuse('leaves the output folder ("..")');
    const segment = part.replace(awkward, '-').replace(/^ +|[. ]+$/g, '');
    if (segment === '') continue;
    if (segment.startsWith('.')) return refuse('has a part that begins with a dot');
    if (reservedName.test(segment)) return refuse('has a name that Windows reserves');
    if (Buffer.byteLength(segment) > segmentBytesMax) {
      return refuse(`has a part of more than ${segmentBytesMax} bytes`);
    }
    segments.push(segment);
  }
  if (segments.length === 0) return refuse('is empty');
  if (segments.length > segmentsMax) return refuse(`has more than ${segmentsMax} parts`);
  const clean = segments.join('/');
  if (Buffer.byteLength(clean) > pathBytesMax) return refuse(`is over ${pathBytesMax} bytes`);
  return { ok: true, path: clean };
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
