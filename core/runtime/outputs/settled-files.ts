/** From a settle to what is written into a folder. */

import type { SettleOutput } from '../../job-queue/index.ts';
import type { Result } from '../../output/index.ts';
import { fieldsOf, isNoted, renoted } from './note.ts';

/** What was settled. */
export interface SettledFiles {
  readonly jobId: string;
  readonly output: SettleOutput;
  readonly note: string;
}

/** Empty where the note says it already. */
export function noteFor(note: string, names: readonly string[]): string {
  return isNoted(note, names) ? '' : renoted(note, { names });
}

export function resultOf({ jobId, output, note }: SettledFiles): Result {
  const { files, overwrite, replaces } = output;
  const { provider, model } = fieldsOf(note);
  return { jobId, files, overwrite, replaces, provider: textOf(provider), model: textOf(model) };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
