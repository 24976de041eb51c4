/** Describes a job that exists already, and how to run it again. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isExtract, type JobInfo, readNote, shortId } from '../../../job-queue/index.ts';
import type { CommitRecord } from '../../../output/index.ts';
import { pathFromHere } from '../../output/format.ts';
import { failureOf } from '../../output/job-view.ts';

const again = 'To run it again: --force';

/**
 * One line, such as `already done: out/summaries/mill.md`.
 * @param model the model that the agent would use now; null if unknown
 */
export function existingJobText(info: JobInfo, model: string | null = null): string {
  const id = shortId(info.id);
  if (info.state === 'done') return doneText(info, id, model);
  if (info.state === 'dead') return `failed before: ${id} (${failureOf(info)}). ${again}`;
  if (info.state === 'cancelled') return `was cancelled: ${id}. ${again}`;
  if (info.state === 'parked' && info.errorCode !== '')
    return `waiting: ${id} (${failureOf(info)})`;
  if (info.state === 'parked') return `already parked on ${info.parkKey}: ${id}`;
  return `${info.state === 'leased' ? 'already running' : 'already queued'}: ${id}`;
}

function doneText(info: JobInfo, id: string, model: string | null): string {
  const { files } = readNote(info.note);
  const how = isExtract(info) ? 'already done, as an extract' : 'already done';
  const missing = files.filter((file) => !existsSync(file)).map(pathFromHere);
  if (missing.length > 0) return `${how}, but ${missing.join(' ')} no longer exists. ${again}`;
  const other = changedFiles(info).map(pathFromHere);
  if (other.length > 0) {
    const kept =
      info.resultBytes > 0 ? ` To get the original: aiq jobs result ${id} -o <file>.` : '';
    return `${how}, but ${other.join(' ')} was modified.${kept} ${again}`;
  }
  const what = files.length === 0 ? id : files.map(pathFromHere).join(' ');
  const by = otherModel(info, model);
  return by === null ? `${how}: ${what}` : `${how} by ${by} instead of ${model}: ${what}. ${again}`;
}

const comparedBytesMax = 8 * 1024 * 1024;

/** Files of the result that were modified since, by a job or by hand. */
function changedFiles({ id, note }: JobInfo): string[] {
  try {
    const { root } = JSON.parse(note) as { root: string };
    const record = readFileSync(join(root, '.aiq', 'commit', id), 'utf8');
    const { files } = JSON.parse(record) as Pick<CommitRecord, 'files'>;
    const noted = new Set(readNote(note).files);
    return files.flatMap(({ path, sha256, bytes }) => {
      const file = join(root, path);
      // What was renamed when it was placed is another file than the first record says.
      if (!noted.has(file) || bytes > comparedBytesMax) return [];
      const now = createHash('sha256').update(readFileSync(file)).digest('hex');
      return now === sha256 ? [] : file;
    });
  } catch {
    return [];
  }
}

/** The model that made the result, if it differs from the one that the agent would use now. */
function otherModel(info: JobInfo, model: string | null): string | null {
  const note = readNote(info.note);
  const made = note.askedModel ?? note.model;
  if (model === null || made === undefined || made === '' || isExtract(info)) return null;
  return made === model ? null : made;
}
