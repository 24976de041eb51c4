/** Marks extracts of the offline provider, which are not answers of a model; also with `--quiet`. */

import { isExtract, type JobInfo, readNote } from '../../job-queue/index.ts';
import { pathFromHere } from './format.ts';
import type { Terminal } from './terminal.ts';

/** The files of a done job, such as `out/a.md (extract)`. */
export function outputText(info: JobInfo): string {
  const written = readNote(info.note).files.map(pathFromHere).join(' ');
  const files = info.output === 'unwritten' ? `(${unwrittenText(info)})` : written;
  return isExtract(info) ? `${files} (extract)` : files;
}

/** What is said of a result whose files are not in their folder. */
export function unwrittenText({ note }: Pick<JobInfo, 'note'>): string {
  const { notWritten } = readNote(note);
  return `result is kept; not written: ${notWritten ?? 'it will be by the next consumer'}`;
}

/** Prints how many of the done jobs are extracts; nothing when none is. */
export function printExtracts(terminal: Terminal, extracts: number, done: number): void {
  if (extracts === 0) return;
  const what = extracts === 1 ? 'is an extract' : 'are extracts';
  const which = extracts === done ? (done === 1 ? 'it' : `all ${done}`) : `${extracts} of ${done}`;
  terminal.failure(`${which} ${what} of the offline provider, not an answer of a model`);
}
