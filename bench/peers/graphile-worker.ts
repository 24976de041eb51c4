/** graphile-worker on PostgreSQL. */

import type { Client, ConnectOptions, JobData, Peer } from '../server/peer.ts';
import {
  type Pg,
  type PostgresAddress,
  postgresSettings,
  postgresVersion,
  startPostgres,
} from '../server/postgres.ts';

/** Its default. */
const poolMax = 10;
/** What its page on performance recommends: jobs fetched ahead, ends gathered. */
const batching = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };

export const peer: Peer = {
  name: 'graphile-worker',
  title: 'graphile-worker on PostgreSQL',
  isDurable: true,
  packages: { 'graphile-worker': '0.18.0', pg: '8.23.1' },
  debianPackage: 'postgresql',
  version: postgresVersion,
  settings: [
    postgresSettings,
    `client: a pool of ${poolMax} sockets (its default; 1 where many connections are asked for); addJob, addJobs; concurrentJobs as many as at once, localQueue.size 500, completeJobBatchDelay 0`,
  ],
  start: startPostgres,
  connect: async (address, options) => clientOf(address as PostgresAddress, options),
};

/** The parts of the package that are used here. */
interface Utils {
  migrate(): Promise<void>;
  addJob(task: string, data: object): Promise<unknown>;
  addJobs(jobs: readonly { identifier: string; payload: object }[]): Promise<unknown>;
  release(): Promise<void>;
}

interface GraphileWorker {
  readonly Logger: new (factory: () => () => void) => object;
  readonly WorkerPreset: object;
  makeWorkerUtils(options: object): Promise<Utils>;
  run(options: object): Promise<{ stop(): Promise<void> }>;
}

async function clientOf(
  { connectionString }: PostgresAddress,
  { load, isOneOfMany }: ConnectOptions,
): Promise<Client> {
  const library = load('graphile-worker') as GraphileWorker;
  const pool = new (load('pg') as Pg).Pool({ connectionString, max: isOneOfMany ? 1 : poolMax });
  for (const event of ['error', 'connect'] as const) pool.on(event, watchErrors);
  const logger = new library.Logger(() => () => undefined);
  const utils = await library.makeWorkerUtils({ pgPool: pool, logger });
  const runners: { stop(): Promise<void> }[] = [];
  return {
    prepare: () => utils.migrate(),
    async enqueue(queue, jobs) {
      const [data] = jobs;
      if (jobs.length === 1 && data !== undefined) await utils.addJob(queue, data);
      else await utils.addJobs(jobs.map((payload) => ({ identifier: queue, payload })));
    },
    async consume(queue, atOnce, onJob) {
      const worker = { concurrentJobs: atOnce, connectionString, ...batching };
      const taskList = { [queue]: (data: JobData): void => onJob(data) };
      const preset = { extends: [library.WorkerPreset], worker: { ...worker, logger } };
      runners.push(await library.run({ preset, taskList, noHandleSignals: true }));
    },
    async waiting(queue) {
      const text = `select count(*) from graphile_worker.jobs where task_identifier = $1 and locked_at is null`;
      return Number((await pool.query(text, [queue])).rows[0]?.count);
    },
    async close() {
      await Promise.all(runners.map((runner) => runner.stop()));
      await utils.release();
      await pool.end();
    },
  };
}

/** The library asks for listeners on the pool and on each of its sockets; whoever waits gets the error. */
function watchErrors(source: { on?: (event: 'error', listener: () => void) => void }): void {
  source.on?.('error', () => undefined);
}
