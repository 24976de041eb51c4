/** The note of a done job, as JSON: what it made, and what became of its files. */

import { limits, readNote } from '../../job-queue/index.ts';
import type { JobSuccess } from '../attempt/result.ts';

/** What the job made, as JSON: as many file names as fit, and how many there are. */
export function noteOf(result: JobSuccess, names: readonly string[], elapsedMs: number): string {
  const { root, model, provider, usage } = result;
  const { cachedInputTokens, reasoningTokens } = usage;
  const tokens = {
    ...(cachedInputTokens > 0 ? { cachedInputTokens } : {}),
    ...(reasoningTokens > 0 ? { reasoningTokens } : {}),
  };
  const asked = result.askedModel === undefined ? {} : { askedModel: result.askedModel };
  const searched = result.notSearched === undefined ? {} : { notSearched: result.notSearched };
  const rest = { provider, model, ...asked, ...tokens, ...searched };
  return fitting({ root }, names, { ...rest, elapsedMs: Math.round(elapsedMs) });
}

/** The same note with the names that the files have, or with the reason why they are not written. */
export function renoted(
  note: string,
  { names, notWritten }: { readonly names?: readonly string[]; readonly notWritten?: string },
): string {
  const { root, files, moreFiles, notWritten: _, ...rest } = fieldsOf(note);
  const said = notWritten === undefined ? {} : { notWritten: notWritten.slice(0, reasonCharsMax) };
  const known = Array.isArray(files) ? (files as string[]) : [];
  if (names !== undefined) return fitting({ root }, names, { ...rest, ...said });
  const more = moreFiles === undefined ? {} : { moreFiles };
  return JSON.stringify({ root, files: known, ...more, ...rest, ...said });
}

/** Whether the note has these names, as far as they fit, and no reason why they are not there. */
export function isNoted(note: string, names: readonly string[]): boolean {
  const { files, notWritten } = fieldsOf(note);
  if (notWritten !== undefined || !Array.isArray(files)) return false;
  return files.every((name, at) => name === names[at]);
}

/** Why its files are not in their folder; null when it does not say so. */
export function reasonIn(note: string): string | null {
  return readNote(note).notWritten ?? null;
}

const reasonCharsMax = 500;

interface NoteFields extends Readonly<Record<string, unknown>> {
  readonly root?: string;
}

export function fieldsOf(note: string): NoteFields {
  try {
    const fields: unknown = JSON.parse(note);
    return typeof fields === 'object' && fields !== null ? (fields as NoteFields) : {};
  } catch {
    return {};
  }
}

function fitting(head: object, names: readonly string[], rest: object): string {
  for (let count = names.length; ; count = Math.floor(count / 2)) {
    const more = names.length - count;
    const left = more > 0 ? { moreFiles: more } : {};
    const text = JSON.stringify({ ...head, files: names.slice(0, count), ...left, ...rest });
    // Room for a reason that comes later.
    if (Buffer.byteLength(text) <= limits.noteBytesMax - 3 * reasonCharsMax || count === 0)
      return text;
  }
}
