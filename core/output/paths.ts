/** The paths of one result, checked before anything touches the disk: each by the rules, and all together. */

import { outputPathProblem } from '../base/index.ts';
import { OutputError } from './output.ts';

const filesMax = 1000;

/**
 * The path in its normal form (NFC).
 * @throws OutputError `path_invalid`
 */
export function checkPath(path: string): string {
  const normal = path.normalize('NFC');
  const problem = outputPathProblem(normal);
  if (problem !== null) throw invalid(path, problem);
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
