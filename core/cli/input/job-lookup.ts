/** Finds the job that a typed id names, and its content. */

import {
  type InspectedJob,
  isExtract,
  isIdPrefix,
  type JobQueue,
  shortId,
  standIn,
  stateWord,
} from '../../job-queue/index.ts';
import { CliError, usageError } from '../errors.ts';
import { formatAge } from '../output/format.ts';
import type { Session } from '../session.ts';

/**
 * The one job whose id begins with the text.
 * @throws CliError `usage` for text that begins no id or several, `notFound` when no job fits
 */
export async function findJob(queue: JobQueue, typed: string): Promise<InspectedJob> {
  const prefix = typed.toLowerCase();
  if (prefix === '' || !isIdPrefix(prefix)) {
    throw usageError(
      `${JSON.stringify(typed)} is not a job id`,
      'An id is what aiq enqueue prints, or any unique prefix of it. See: aiq jobs list',
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
  throw usageError(`${typed} matches several jobs`, ...candidates(found));
}

function candidates(found: readonly InspectedJob[]): string[] {
  const now = Date.now();
  return found.map(
    ({ info }) =>
      `${shortId(info.id)}  ${info.agent}  ${stateWord(info)}${isExtract(info) ? ' (extract)' : ''}  ${formatAge(now - info.enqueuedAtMs)} old  ${info.source}`,
  );
}

/** The job with its content, fetched only once the id is known to be unique. */
export async function findWithContent(session: Session, typed: string): Promise<InspectedJob> {
  const queue = await session.queue();
  const typedJob = await findJob(queue, typed);
  const id = await standIn(queue, typedJob.info.id);
  const found = id === typedJob.info.id ? typedJob : await findJob(queue, id);
  if (found !== typedJob) {
    session.terminal.note(`${shortId(typedJob.info.id)} was superseded; this is ${shortId(id)}`);
  }
  const [whole] = await queue.inspect(found.info.id, { withJob: true });
  if (whole === undefined || whole.job === null) return whole ?? found;
  // Without the body one candidate folder is missing; the others may have the output.
  const job = await queue.wholeJob(whole.job).catch(() => null);
  return { ...whole, job };
}
