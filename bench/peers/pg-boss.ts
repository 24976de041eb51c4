/** pg-boss on PostgreSQL. */

import type { Client, ConnectOptions, JobData, Peer } from '../server/peer.ts';
import {
  type PostgresAddress,
  postgresSettings,
  postgresVersion,
  startPostgres,
} from '../server/postgres.ts';

/** Its default. */
const poolMax = 10;

export const peer: Peer = {
  name: 'pg-boss',
  title: 'pg-boss on PostgreSQL',
  isDurable: true,
  packages: { 'pg-boss': '12.38.0' },
  debianPackage: 'postgresql',
  version: postgresVersion,
  settings: [
    postgresSettings,
    `client: a pool of ${poolMax} sockets (its default; 1 where many connections are asked for), no maintenance; send, insert; work with LISTEN/NOTIFY, batchSize as many as at once, burstWhenBatchFull`,
  ],
  start: startPostgres,
  connect: async (address, options) => clientOf(address as PostgresAddress, options),
};

/** The parts of the package that are used here. */
interface Boss {
  on(event: 'error', listener: (error: Error) => void): void;
  start(): Promise<unknown>;
  stop(options: object): Promise<void>;
  createQueue(name: string, options: object): Promise<void>;
  send(name: string, data: object): Promise<string | null>;
  insert(name: string, jobs: readonly { data: object }[]): Promise<unknown>;
  work(
    name: string,
    options: object,
    handler: (jobs: readonly { data: JobData }[]) => Promise<void>,
  ): Promise<string>;
  getDb(): { executeSql(text: string, values: unknown[]): Promise<{ rows: { count: string }[] }> };
}

interface PgBoss {
  readonly PgBoss: new (options: object) => Boss;
}

async function clientOf(
  { connectionString }: PostgresAddress,
  { load, isOneOfMany }: ConnectOptions,
): Promise<Client> {
  const { PgBoss } = load('pg-boss') as PgBoss;
  const max = isOneOfMany ? 1 : poolMax;
  const quiet = { supervise: false, schedule: false };
  const boss = new PgBoss({ connectionString, max, ...quiet, useListenNotify: !isOneOfMany });
  boss.on('error', (error) => process.stderr.write(`pg-boss: ${error.message}\n`));
  await boss.start();
  return {
    prepare: (queue) => boss.createQueue(queue, { notify: true }),
    async enqueue(queue, jobs) {
      const [data] = jobs;
      if (jobs.length === 1 && data !== undefined) await boss.send(queue, data);
      else
        await boss.insert(
          queue,
          jobs.map((one) => ({ data: one })),
        );
    },
    async consume(queue, atOnce, onJob) {
      const options = { batchSize: atOnce, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 };
      await boss.work(queue, options, async (jobs) => {
        for (const { data } of jobs) onJob(data);
      });
    },
    async waiting(queue) {
      const text = "select count(*) from pgboss.job where name = $1 and state < 'active'";
      const { rows } = await boss.getDb().executeSql(text, [queue]);
      return Number(rows[0]?.count);
    },
    close: () => boss.stop({ graceful: false }),
  };
}
