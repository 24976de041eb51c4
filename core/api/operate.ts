/** What an operator may do with jobs from a program: cancel, retry, signal. */

import { AiqError, type JobQueue } from '../job-queue/index.ts';
import { checkText } from './check-options.ts';
import type { Aiq } from './contract.ts';
import { findJob } from './jobs.ts';

type Operating = Pick<
  JobQueue,
  'address' | 'inspect' | 'cancel' | 'retryDead' | 'signal' | 'result'
>;

export function createOperations(
  queue: Operating,
): Pick<Aiq, 'cancel' | 'retryDead' | 'signal' | 'result'> {
  const idOf = async (id: string): Promise<string> => {
    const job = await findJob(queue, id);
    if (job !== null) return job.id;
    throw new AiqError('NOT_FOUND', `no job ${id} at ${queue.address}`);
  };
  return {
    async cancel(id) {
      const [answer] = await queue.cancel([await idOf(id)]);
      if (answer?.ok === false) throw new AiqError(answer.code, answer.message);
    },
    async retryDead(filter = {}) {
      checkText('queue', filter.queue);
      checkText('code', filter.code);
      return queue.retryDead({ queue: filter.queue, errorCode: filter.code });
    },
    signal: (key) => queue.signal(key),
    result: async (id) => queue.result(await idOf(id)),
  };
}
