/** What to say when the same job exists already: where it stands, and the fix if that is unwanted. */

import { existsSync } from 'node:fs';
import { isExtract, type JobInfo, readNote, shortId } from '../queue/index.ts';
import { failureOf } from './job-view.ts';
import { pathFromHere } from './paths.ts';

const again = 'To do it again: --force';

/** One line, such as `already done: out/summaries/mill.md`. */
export function knownJobText(info: JobInfo): string {
  const id = shortId(info.id);
  if (info.state === 'done') return doneText(info, id);
  if (info.state === 'dead') return `failed before: ${id} (${failureOf(info)}). ${again}`;
  if (info.state === 'cancelled') return `was cancelled: ${id}. ${again}`;
  if (info.state === 'parked' && info.errorCode !== '') return `waits: ${id} (${failureOf(info)})`;
  if (info.state === 'parked') return `already parked on ${info.parkKey}: ${id}`;
  return `${info.state === 'leased' ? 'already running' : 'already queued'}: ${id}`;
}

function doneText(info: JobInfo, id: string): string {
  const { files } = readNote(info.note);
  const how = isExtract(info) ? 'already done, as an extract' : 'already done';
  const gone = files.filter((file) => !existsSync(file)).map(pathFromHere);
  if (gone.length > 0) return `${how}, but ${gone.join(' ')} is not there any more. ${again}`;
  return `${how}: ${files.length === 0 ? id : files.map(pathFromHere).join(' ')}`;
}
