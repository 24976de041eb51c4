/** What the record of written files changes. */

import type { RecordOf } from '../records/records.ts';
import type { JobEntry } from './job-entry.ts';
import type { JobStore } from './job-store.ts';

/** Files are in their folder, or could not be written yet. */
export function project(
  jobs: JobStore,
  job: JobEntry,
  { written, note, offset }: RecordOf<'projected'>['jobs'][number] & { readonly offset: number },
): void {
  const { slot } = job;
  const { outputs } = jobs;
  if (written) outputs.written(slot);
  if (note === '') return;
  // UTF-8 takes at most three bytes for a UTF-16 unit.
  const bytes = 3 * note.length;
  const before = outputs.notes.get(slot)?.bytes ?? 0;
  outputs.notes.set(slot, { offset, bytes });
  job.lastBytes += bytes - before;
  jobs.logBytes += bytes - before;
}
