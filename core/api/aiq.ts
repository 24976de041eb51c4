/** The parts of a connection, put together; everything that it started ends with `close`. */

import type { Config, Environment } from '../config/index.ts';
import { AiqError, type JobQueue } from '../job-queue/index.ts';
import type { Trust } from '../trust/index.ts';
import { checkRunOptions } from './check-options.ts';
import type { Aiq, RunOptions, RunSummary } from './contract.ts';
import { findJob, listJobs, searchJobs, waitForJob } from './jobs.ts';
import { createOperations } from './operate.ts';
import { createProducer } from './producer.ts';
import { runJobs } from './run.ts';

/** What all parts of a connection share. */
export interface Connection {
  readonly config: Config;
  readonly env: Environment;
  /** Both as they are now. @throws ConfigError */
  readonly reread: () => Promise<Pick<Connection, 'config' | 'env' | 'trust'>>;
  readonly queue: JobQueue;
  readonly trust: Trust;
  readonly onNotice: (line: string) => void;
}

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
