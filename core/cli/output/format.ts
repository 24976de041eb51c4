/** Formats tables, durations, sizes and paths. */

import { isAbsolute, relative } from 'node:path';

/**
 * Rows as text, the heading first. `width` is the terminal's; null (a pipe) means tabs and no
 * heading, so that `cut` and `awk` read it as it is.
 */
export function formatTable(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  width: number | null,
): string[] {
  const clean = rows.map((row) => row.map(oneLine));
  if (width === null) return clean.map((row) => row.join('\t'));
  const all = [heading, ...clean];
  const widths = heading.map((_, column) =>
    Math.max(...all.map((row) => displayWidth(row[column] ?? ''))),
  );
  return all.map((row) =>
    fitted(
      row
        .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - displayWidth(cell)))
        .join('  ')
        .trimEnd(),
      width,
    ),
  );
}

/**
 * The text on one line, without characters that move the cursor or change the direction of the text
 * beside it: texts of jobs are not trusted.
 */
export function oneLine(text: string): string {
  const { stripVTControlCharacters } = process.getBuiltinModule('node:util');
  return stripVTControlCharacters(text).replace(unprintable, ' ');
}

/** Controls and line breaks, and the marks that turn the direction of text. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

/** Columns that a terminal gives to the text: wide (CJK, emoji) characters take two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of graphemesOf(text)) width += wide.test(segment) ? 2 : 1;
  return width;
}

let graphemes: Intl.Segmenter | null = null;

/** What a person takes for one character. Its rules load with the first table: they take 10 ms. */
function graphemesOf(text: string): Intl.Segments {
  graphemes ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return graphemes.segment(text);
}

const wide =
  /[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\uff01-\uff60]/u;

function fitted(line: string, width: number): string {
  if (displayWidth(line) <= width) return line;
  let shown = '';
  let used = 0;
  for (const { segment } of graphemesOf(line)) {
    used += displayWidth(segment);
    if (used > width - 1) break;
    shown += segment;
  }
  return `${shown}…`;
}

const units: readonly (readonly [unit: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
];

/** An age such as `3m`: the largest unit that fits, rounded down. */
export function formatAge(ms: number): string {
  for (const [unit, size] of units) {
    if (ms >= size) return `${Math.floor(ms / size)}${unit}`;
  }
  return '0s';
}

/** How long something took: `41 ms`, `1.2 s`, `3 m 20 s`. */
export function formatElapsed(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} m ${Math.round((ms % 60_000) / 1000)} s`;
}

/** Bytes as people say them: `812 bytes`, `14.2 KiB`, `5 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const power = bytes < 1024 ** 2 ? 1 : bytes < 1024 ** 3 ? 2 : 3;
  return `${Number((bytes / 1024 ** power).toFixed(1))} ${['', 'KiB', 'MiB', 'GiB'][power]}`;
}

/** The path relative to the working folder, where that is shorter. */
export function pathFromHere(path: string): string {
  if (!isAbsolute(path)) return path;
  const near = relative(process.cwd(), path);
  return near === '' || near.startsWith('../../..') ? path : near;
}
