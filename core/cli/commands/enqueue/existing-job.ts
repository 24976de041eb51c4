/** Describes a job that exists already, and how to run it again. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import {
  isExtract,
  type JobInfo,
  type KeptOutput,
  readNote,
  shortId,
} from '../../../job-queue/index.ts';
import { unwrittenText } from '../../output/extract-text.ts';
import { pathFromHere } from '../../output/format.ts';
import { failureOf } from '../../output/job-view.ts';

const again = 'To run it again: --force';

/**
 * One line, such as `already done: out/summaries/mill.md`.
 * @param model the model that the agent would use now; null if unknown
 * @param kept its files as the broker has them; null for none
 */
export function existingJobText(
  info: JobInfo,
  model: string | null = null,
  kept: KeptOutput | null = null,
): string {
  const id = shortId(info.id);
  if (info.state === 'done') return doneText(info, id, { model, kept });
  if (info.state === 'dead') return `failed before: ${id} (${failureOf(info)}). ${again}`;
  if (info.state === 'cancelled') return `was cancelled: ${id}. ${again}`;
  if (info.state === 'parked' && info.errorCode !== '')
    return `waiting: ${id} (${failureOf(info)})`;
  if (info.state === 'parked') return `already parked on ${info.parkKey}: ${id}`;
  return `${info.state === 'leased' ? 'already running' : 'already queued'}: ${id}`;
}

interface Known {
  readonly model: string | null;
  readonly kept: KeptOutput | null;
}

function doneText(info: JobInfo, id: string, { model, kept: output }: Known): string {
  const { files } = readNote(info.note);
  const how = isExtract(info) ? 'already done, as an extract' : 'already done';
  if (info.output === 'unwritten') return `${how}: ${id} (${unwrittenText(info)})`;
  const missing = files.filter((file) => !existsSync(file)).map(pathFromHere);
  if (missing.length > 0)
    return `${how}, but ${missing.join(' ')} no longer exists.${restoreText(info, id)} ${again}`;
  const other = changedFiles(info, output).map(pathFromHere);
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

function restoreText({ output }: JobInfo, id: string): string {
  return output === 'none' ? '' : ` To get it back: aiq outputs restore ${id}.`;
}

/** Files of the result that were modified since, by a job or by hand. */
function changedFiles({ note }: JobInfo, kept: KeptOutput | null): string[] {
  return readNote(note).files.filter((file, at) => {
    const { bytes, sha256 } = kept?.files[at] ?? { bytes: comparedBytesMax, sha256: null };
    if (sha256 === null || bytes > comparedBytesMax) return false;
    return createHash('sha256').update(readFileSync(file)).digest('hex') !== sha256;
  });
}

/** The model that made the result, if it differs from the one that the agent would use now. */
function otherModel(info: JobInfo, model: string | null): string | null {
  const note = readNote(info.note);
  const made = note.askedModel ?? note.model;
  if (model === null || made === undefined || made === '' || isExtract(info)) return null;
  return made === model ? null : made;
}
