/**
 * kill -9 of a loaded broker, again and again: 8 producers, 4 consumers, at random moments, also
 * during recovery. The oracle knows only what was answered.
 *
 * More cycles, or a failed run again: `npm run test:crash -- --cycles 300 --seed 7`.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import {
  type Consumer,
  type JobQueue,
  type LeasedJob,
  newJob,
  openQueue,
} from '../../core/queue/index.ts';
import { until } from '../support/project.ts';
import { randomOf } from '../support/random.ts';

const cycles = Number(process.env['AIQ_CRASH_CYCLES'] ?? 4);
const seed = Number(process.env['AIQ_CRASH_SEED'] ?? 1);
const producers = 8;
const consumers = 4;
const acceptedPerCycle = 200;
const ackedPerCycle = 100;
const main = fileURLToPath(new URL('../../core/broker/main.ts', import.meta.url));

/** What was answered, and every answer that contradicts another. */
class Oracle {
  readonly accepted = new Set<string>();
  readonly acked = new Set<string>();
  readonly violations: string[] = [];
  deliveries = 0;

  delivered(id: string): void {
    this.deliveries++;
    if (this.acked.has(id)) this.violations.push(`${id} was delivered after its ack was answered`);
  }
}

/** The broker of a folder, ended by SIGKILL only. */
class KilledBroker {
  readonly #dir: string;
  #child: ChildProcess | null = null;

  constructor(dir: string) {
    this.#dir = dir;
  }

  start(): void {
    const args = [main, '--dir', this.#dir, '--idle-exit-ms', '600000'];
    this.#child = spawn(process.execPath, args, { stdio: 'ignore' });
  }

  /** @throws Error when the broker had ended by itself: it refused to start, or stopped serving */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    if (child.exitCode !== null) throw new Error(`the broker ended itself with ${child.exitCode}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    this.#child = null;
  }
}

/** Enqueues batches until told to stop; a batch without an answer is sent again, as users do. */
async function produce(
  queue: JobQueue,
  oracle: Oracle,
  isStopped: () => boolean,
  name: number,
): Promise<void> {
  for (let batch = 0; !isStopped(); batch++) {
    const jobs = Array.from({ length: 1 + (batch % 20) }, (_, index) =>
      newJob({
        agent: 'a',
        queue: 'a',
        agentDigest: 'ab'.repeat(32),
        input: { name, batch, index },
      }),
    );
    for (let answered = false; !answered && !isStopped(); ) {
      answered = await tell(oracle, queue.enqueue(jobs));
    }
    await sleep(1);
  }
}

/** Notes what was answered; false when the answer was lost with the broker. */
async function tell(oracle: Oracle, answering: ReturnType<JobQueue['enqueue']>): Promise<boolean> {
  const answers = await answering.catch(() => null);
  for (const answer of answers ?? []) {
    if (answer.outcome === 'refused') oracle.violations.push(`refused: ${answer.message}`);
    else oracle.accepted.add(answer.id);
  }
  return answers !== null;
}

async function consume(queue: JobQueue, oracle: Oracle): Promise<Consumer> {
  const opened = Promise.withResolvers<Consumer>();
  const work = async (leased: LeasedJob): Promise<void> => {
    const own = await opened.promise;
    // A settle rejects only when the consumer is closed, at the end.
    const settled = await own.settle(leased, { outcome: 'ack' }).catch(() => null);
    if (settled?.ok === true) oracle.acked.add(leased.job.id);
  };
  const consumer = await queue.consume({
    queues: ['a'],
    credit: 32,
    onDelivery: (leased) => {
      oracle.delivered(leased.job.id);
      void work(leased);
    },
    onLeaseLost: () => undefined,
  });
  opened.resolve(consumer);
  return consumer;
}

test(
  `no accepted job is lost and no acknowledged one comes back over ${cycles} kills (seed ${seed})`,
  async () => {
    const random = randomOf(seed);
    const base = await mkdtemp(join(tmpdir(), 'aiq-cycles-'));
    const dir = join(base, '.aiq');
    const broker = new KilledBroker(dir);
    const oracle = new Oracle();
    const stop = new AbortController();
    const opening = {
      broker: `unix:${join(dir, 'broker.sock')}`,
      tokenFile: null,
      connectDeadlineMs: 60_000,
    };
    broker.start();
    await until('the first broker', async () => {
      const probe = await openQueue({
        ...opening,
        clientName: 'probe',
        connectDeadlineMs: 200,
      }).catch(() => null);
      await probe?.close();
      return probe !== null;
    });
    const queues = await Promise.all(
      Array.from({ length: producers + consumers }, (_, index) =>
        openQueue({ ...opening, clientName: `${index}` }),
      ),
    );
    try {
      const working = await Promise.all(
        queues.slice(producers).map((queue) => consume(queue, oracle)),
      );
      const producing = queues
        .slice(0, producers)
        .map((queue, name) => produce(queue, oracle, () => stop.signal.aborted, name));
      for (let cycle = 0; cycle < cycles; cycle++) {
        const before = { accepted: oracle.accepted.size, acked: oracle.acked.size };
        await until(`load in cycle ${cycle}`, async () => {
          const enough = oracle.accepted.size - before.accepted >= acceptedPerCycle;
          return enough && oracle.acked.size - before.acked >= ackedPerCycle;
        });
        await sleep(random() * 40);
        await broker.kill();
        broker.start();
        if (cycle % 3 === 2) {
          // Somewhere between the start of the process and its first answers: mostly in recovery.
          await sleep(random() * 120);
          await broker.kill();
          broker.start();
        }
      }
      stop.abort();
      await Promise.all(producing);
      const isAcked = (id: string): boolean => oracle.acked.has(id);
      await until('the rest to be done', async () => [...oracle.accepted].every(isAcked));
      const [stats] = (await (queues[0] as JobQueue).stats(['a'])).queues;
      console.log(
        `${cycles} cycles, seed ${seed}: ${oracle.accepted.size} accepted, ${oracle.acked.size} acknowledged, ` +
          `${oracle.deliveries - oracle.acked.size} delivered again before their ack`,
      );
      expect(oracle.violations).toEqual([]);
      expect(stats).toMatchObject({ ready: 0, delayed: 0, leased: 0, dead: 0 });
      expect(stats?.done).toBeGreaterThanOrEqual(oracle.accepted.size);
      for (const consumer of working) await consumer.close();
    } finally {
      stop.abort();
      await Promise.all(queues.map((queue) => queue.close()));
      await broker.kill();
      await rm(base, { recursive: true, force: true });
    }
  },
  60_000 + cycles * 15_000,
);
