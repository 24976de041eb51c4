/** From what a person typed to one job: any unique beginning of an id. */

import {
  type InspectedJob,
  isExtract,
  isIdPrefix,
  type JobQueue,
  shortId,
  stateWord,
} from '../job-queue/index.ts';
import { CliError, usageError } from './errors.ts';
import { formatAge } from './table.ts';

/**
 * The one job whose id begins with the text.
 * @throws CliError `usage` for text that begins no id or several, `notFound` when no job fits
 */
export async function findJob(queue: JobQueue, typed: string): Promise<InspectedJob> {
  const prefix = typed.toLowerCase();
  if (prefix === '' || !isIdPrefix(prefix)) {
    throw usageError(
      `${JSON.stringify(typed)} is not a job id`,
      'An id is what aiq enqueue prints, or any unique beginning of it. See: aiq jobs list',
    );
  }
  const found = await queue.inspect(prefix);
  const [only, second] = found;
  if (only === undefined) {
    throw new CliError('notFound', `no job ${typed}`, [
      `The broker at ${queue.address} does not know it. See: aiq jobs list`,
    ]);
  }
  if (second === undefined) return only;
  throw usageError(`${typed} fits several jobs`, ...candidates(found));
}

function candidates(found: readonly InspectedJob[]): string[] {
  const now = Date.now();
  return found.map(
    ({ info }) =>
      `${shortId(info.id)}  ${info.agent}  ${stateWord(info)}${isExtract(info) ? ' (extract)' : ''}  ${formatAge(now - info.enqueuedAtMs)} old  ${info.source}`,
  );
}
