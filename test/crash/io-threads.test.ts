/**
 * I/O threads of a loaded broker that die, one after the other, while clients are on the Unix socket and
 * on the TCP port that the threads share: only connections are lost. The oracle knows only what was
 * answered.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { type RunningBroker, startBroker } from '../../core/broker/index.ts';
import { type JobInfo, type JobQueue, openQueue } from '../../core/job-queue/index.ts';
import { ClientOracle, endStates } from '../oracle/client-oracle.ts';
import { testMs } from '../support/patience.ts';
import { until } from '../support/project.ts';
import { randomOf } from '../support/random.ts';
import { consume, kinds, type Load, produce, queueName } from './broker-cycles/load.ts';

const threads = 3;
/** As many as a pool forgives in a minute. */
const deaths = 5;
const producers = 6;
const consumers = 4;
const acceptedPerDeath = 60;
const ackedPerDeath = 30;
const seed = 3;
/** A delivery on one thread may cross the answer to a cancel on another. */
const orderly = kinds.filter((kind) => kind !== 'cancelled');

/** Half of the clients come by each way. */
async function connect(dir: string, { addresses }: RunningBroker): Promise<JobQueue[]> {
  const tcp = `tcp://127.0.0.1:${addresses.tcp?.port}`;
  return Promise.all(
    Array.from({ length: producers + consumers }, (_, index) =>
      openQueue({
        broker: index % 2 === 0 ? `unix:${join(dir, 'broker.sock')}` : tcp,
        tokenFile: join(dir, 'token'),
        clientName: `${index}`,
        connectDeadlineMs: 60_000,
      }),
    ),
  );
}

async function allJobs(queue: JobQueue): Promise<JobInfo[]> {
  const all: JobInfo[] = [];
  for (let before: number | null = 0; before !== null; ) {
    const page = await queue.list({ queue: queueName, before, limit: 1_000 });
    all.push(...page.jobs);
    before = page.next;
  }
  return all;
}

test(
  `${deaths} I/O threads that die under load cost connections and nothing else`,
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'aiq-threads-'));
    const alive: Worker[] = [];
    const onWorker = (worker: Worker): void => {
      if (!worker.threadName?.startsWith('aiq-io')) return;
      alive.push(worker);
      worker.once('exit', () => alive.splice(alive.indexOf(worker), 1));
    };
    process.on('worker', onWorker);
    const notices: string[] = [];
    const broker = await startBroker({
      dir,
      unix: true,
      tcp: { host: '127.0.0.1', port: 0 },
      ioThreads: threads,
      idleExitMs: null,
      onNotice: (text) => notices.push(text),
    });
    const oracle = new ClientOracle();
    const stop = new AbortController();
    const random = randomOf(seed);
    const queues = await connect(dir, broker);
    try {
      const common = { oracle, stop: stop.signal, life: 't', kinds: orderly };
      const loads = queues.map((queue): Load => ({ queue, ...common }));
      const consuming = await Promise.all(loads.slice(producers).map(consume));
      const producing = loads.slice(0, producers).map(produce);
      for (let death = 0; death < deaths; death++) {
        await until(`load before death ${death + 1}`, async () => {
          const { accepted, acked } = oracle.heard;
          return accepted.length >= acceptedPerDeath && acked >= ackedPerDeath;
        });
        oracle.nextCycle();
        await sleep(random() * 40);
        await until('all threads to be there', async () => alive.length === threads);
        await alive[Math.floor(random() * threads)]?.terminate();
      }
      await until('load behind the last death', async () => oracle.heard.acked >= ackedPerDeath);
      stop.abort();
      await Promise.all(producing);
      const [queue] = queues as [JobQueue];
      let jobs: JobInfo[] = [];
      await until('the rest to end', async () => {
        jobs = await allJobs(queue);
        return jobs.every(({ state }) => endStates.includes(state));
      });
      expect(oracle.violations).toEqual([]);
      const known = new Set(jobs.map(({ id }) => id));
      expect([...oracle.accepted].filter((id) => !known.has(id))).toEqual([]);
      // Every session came back in time: no lease was lost.
      expect(jobs.filter(({ crashes }) => crashes > 0)).toEqual([]);
      expect(notices.filter((text) => text.includes('an I/O thread died'))).toHaveLength(deaths);
      for (const consumer of consuming) await consumer.close();
      // Consumers had connections of their own. Those of dead threads are counted no more.
      await until('as many connections as there are clients', async () => {
        const told = await Promise.all(queues.map((each) => each.engineStats()));
        return told.every(({ connections }) => connections === queues.length);
      });
    } finally {
      stop.abort();
      await Promise.all(queues.map((queue) => queue.close()));
      await broker.stop();
      process.off('worker', onWorker);
      await rm(dir, { recursive: true, force: true });
    }
  },
  testMs,
);
