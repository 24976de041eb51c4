/** The parts of a connection, put together; everything that it started ends with `close`. */

import { AiqError, type JobQueue } from '../job-queue/index.ts';
import { checkRunOptions, checkText } from './check-options.ts';
import type { Aiq, RunOptions, RunSummary } from './contract.ts';
import { findJob, listJobs, searchJobs, waitForJob } from './jobs.ts';
import { createProducer } from './producer.ts';
import { type Connection, runJobs } from './run.ts';

export function createAiq(connection: Connection): Aiq {
  const { queue } = connection;
  const producer = createProducer(connection);
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();
  const run = async (options: RunOptions = {}): Promise<RunSummary> => {
    closing.signal.throwIfAborted();
    checkRunOptions(options);
    const done = runJobs(connection, options, closing.signal);
    running.add(done);
    try {
      return await done;
    } finally {
      running.delete(done);
    }
  };
  return {
    ...producer,
    ...createOperations(queue),
    wait: (id, options = {}) => waitForJob(queue, id, options.signal),
    job: (id) => findJob(queue, id),
    jobs: (filter = {}) => listJobs(queue, filter),
    search: (options = {}) => searchJobs(queue, options),
    run,
    async close() {
      closing.abort(new AiqError('CLOSED', 'the connection was closed'));
      await Promise.allSettled(running);
      await queue.close();
    },
  };
}

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
