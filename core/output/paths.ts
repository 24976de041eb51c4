/**
 * What a published file may be called: pure checks, before anything touches the disk. A path that
 * passes means the same on every file system, hidden files and reserved names of Windows included.
 */

import { OutputError } from './output.ts';

const segmentBytesMax = 200;
const pathBytesMax = 1024;
const segmentsMax = 32;
const filesMax = 1000;

const reservedName = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)/i;
/** Control characters, line separators and marks that turn the direction of writing. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;

/** One rule per line: what a segment must not be, and how to say it. */
const segmentRules: readonly {
  readonly broken: (segment: string) => boolean;
  readonly why: string;
}[] = [
  { broken: (segment) => segment === '', why: 'has an empty part' },
  { broken: (segment) => segment === '..', why: 'leaves the output folder ("..")' },
  { broken: (segment) => segment.startsWith('.'), why: 'has a part that begins with a dot' },
  {
    broken: (segment) => /[. ]$|^ /.test(segment),
    why: 'has a part with a dot or space at its edge',
  },
  { broken: (segment) => unprintable.test(segment), why: 'has a control character' },
  { broken: (segment) => /[\\:]/.test(segment), why: 'has a backslash or a colon' },
  { broken: (segment) => reservedName.test(segment), why: 'has a name that Windows reserves' },
  {
    broken: (segment) => Buffer.byteLength(segment) > segmentBytesMax,
    why: `has a part of more than ${segmentBytesMax} bytes`,
  },
];

/**
 * The path in its normal form (NFC).
 * @throws OutputError `path_invalid`
 */
export function checkPath(path: string): string {
  if (!path.isWellFormed()) throw invalid(path, 'is not valid Unicode');
  const normal = path.normalize('NFC');
  if (normal === '') throw invalid(path, 'is empty');
  if (normal.startsWith('/')) throw invalid(path, 'is absolute');
  if (Buffer.byteLength(normal) > pathBytesMax) {
    throw invalid(path, `has more than ${pathBytesMax} bytes`);
  }
  const segments = normal.split('/');
  if (segments.length > segmentsMax) throw invalid(path, `has more than ${segmentsMax} parts`);
  for (const rule of segmentRules) {
    if (segments.some((segment) => rule.broken(segment))) throw invalid(path, rule.why);
  }
  return normal;
}

/**
 * The paths of one result in their normal forms.
 * @throws OutputError `path_invalid` also when two of them would be one file, or a file and a
 *   folder, where upper and lower case are the same
 */
export function checkPaths(paths: readonly string[]): string[] {
  if (paths.length === 0) throw new OutputError('path_invalid', 'the result has no files');
  if (paths.length > filesMax) {
    throw new OutputError(
      'path_invalid',
      `the result has ${paths.length} files; ${filesMax} are allowed`,
    );
  }
  const normal = paths.map(checkPath);
  const seen = new Set<string>();
  for (const path of normal) {
    if (seen.has(folded(path))) throw invalid(path, 'appears twice in one result');
    seen.add(folded(path));
  }
  for (const path of normal) {
    for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
      const parent = folded(path.slice(0, end));
      if (seen.has(parent)) throw invalid(path, 'needs a folder where the result has a file');
    }
  }
  return normal;
}

/** Equal for paths that are one file where upper and lower case are the same. */
export function folded(path: string): string {
  // Through upper case first: it joins letters such as "ß" and "ss" that lower case keeps apart.
  return path.toUpperCase().toLowerCase();
}

/** `notes/a.md` as `notes/a-2.md`, and `a.offline.json` as `a-2.offline.json`. */
export function numbered(path: string, number: number): string {
  const end = path.search(/(?<=[^/])(?:\.offline)?(?:\.[^./]*)?$/);
  return `${path.slice(0, end)}-${number}${path.slice(end)}`;
}

function invalid(path: string, why: string): OutputError {
  const shown = JSON.stringify(path.length > 120 ? `${path.slice(0, 120)}…` : path);
  return new OutputError('path_invalid', `the output path ${shown} ${why}`);
}
