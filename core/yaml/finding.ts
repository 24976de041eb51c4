/** One thing that is wrong in a file, and how it is printed. */

import { isAbsolute, relative } from 'node:path';

/** A place in a file and what is wrong there. Lines and columns count from 1. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** `file:line:column: message`, the file as seen from the working folder when it lies below it. */
export function formatFinding(finding: Finding): string {
  return `${shownPath(finding.file)}:${finding.line}:${finding.column}: ${finding.message}`;
}

/** A path as people should see it: relative when that is shorter to read, else as it is. */
function shownPath(path: string): string {
  const below = relative(process.cwd(), path);
  return below === '' || below.startsWith('..') || isAbsolute(below) ? path : below;
}
