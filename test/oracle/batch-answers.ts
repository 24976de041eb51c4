/** Holds the counts that a broker tells of a batch against its jobs. */

import type { Message } from '../../core/protocol/index.ts';
import type { BookJob } from './book.ts';

type Told = Pick<Message<'BatchesOk'>['batches'][number], 'counts' | 'tried' | 'failed'>;

/** What is wrong with the counts, or null. Delayed jobs get ready without a record. */
export function problemOfBatch(
  jobs: readonly BookJob[],
  { counts, tried, failed }: Told,
): string | null {
  const inState = (state: BookJob['state']): number =>
    jobs.filter((job) => job.state === state).length;
  const { delayed, ready, leased, done, dead, cancelled, parked } = counts;
  const told = [delayed + ready, leased, done, dead, cancelled, parked, tried, failed];
  const isTried = ({ attempts, state }: BookJob): boolean => attempts > 0 || state === 'done';
  const isFailed = ({ attempts, state }: BookJob): boolean =>
    attempts > 0 && state !== 'done' && state !== 'cancelled';
  const known = [
    inState('delayed') + inState('ready'),
    ...(['leased', 'done', 'dead', 'cancelled', 'parked'] as const).map(inState),
    jobs.filter(isTried).length,
    jobs.filter(isFailed).length,
  ];
  return told.join() === known.join()
    ? null
    : `it is told as ${told.join()}, and is ${known.join()}`;
}
