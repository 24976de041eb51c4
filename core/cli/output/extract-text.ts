/** How people are told that something is an extract and no answer. Shown with `--quiet`, too. */

import { isExtract, type JobInfo, readNote } from '../../job-queue/index.ts';
import { pathFromHere } from './format.ts';
import type { Terminal } from './terminal.ts';

/** Where a job that is done put its files, such as `out/a.md (extract)`. */
export function madeText(info: JobInfo): string {
  const files = readNote(info.note).files.map(pathFromHere).join(' ');
  return isExtract(info) ? `${files} (extract)` : files;
}

/** The closing line over the jobs that a command did or showed; nothing where all are answers. */
export function printExtracts(terminal: Terminal, extracts: number, done: number): void {
  if (extracts === 0) return;
  const what = extracts === 1 ? 'is an extract' : 'are extracts';
  const which = extracts === done ? (done === 1 ? 'it' : `all ${done}`) : `${extracts} of ${done}`;
  terminal.failure(`${which} ${what} of the offline provider, no answer of a model`);
}
