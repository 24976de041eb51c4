/** The two clients that are compared, each used as its own documentation recommends. */

import { createRequire } from 'node:module';
import { newJob, openQueue } from '../../core/job-queue/index.ts';

/** A connected client that adds jobs. */
export interface Producer {
  /** Adds jobs number `first` and up in one call; resolves when all of them are acknowledged. */
  enqueue(queue: string, first: number, count: number): Promise<void>;
  /** Removes the `count` jobs of a queue. @throws Error when there were not so many */
  empty(queue: string, count: number): Promise<void>;
}

const jobBytes = 1024;

/** What the user's job says: `jobBytes` of JSON, and never twice the same. */
function dataOf(queue: string, number: number): { name: string; text: string } {
  const name = `${queue}-${number}`;
  const emptyBytes = JSON.stringify({ name, text: '' }).length;
  return { name, text: 'x'.repeat(jobBytes - emptyBytes) };
}

/** aiq as `aiq enqueue` and the API use it: identity from the content, so each job is hashed. */
export async function openAiq(socket: string): Promise<Producer> {
  const port = await openQueue({
    broker: `unix:${socket}`,
    tokenFile: null,
    clientName: 'bench',
    connectDeadlineMs: 60_000,
  });
  const jobOf = (queue: string, number: number) =>
    newJob({ agent: 'bench', agentDigest: 'ab'.repeat(32), queue, input: dataOf(queue, number) });
  return {
    async enqueue(queue, first, count) {
      const jobs = Array.from({ length: count }, (_, index) => jobOf(queue, first + index));
      const answers = await port.enqueue(jobs);
      const wrong = answers.find(({ outcome }) => outcome !== 'created');
      if (wrong !== undefined) throw new Error(`aiq: ${JSON.stringify(wrong)}`);
    },
    async empty(queue, count) {
      expectCount('aiq', await port.purge(queue), count);
    },
  };
}

/** The part of BullMQ that is used here; it is no dependency of the project. */
interface BullQueue {
  add(name: string, data: object): Promise<unknown>;
  addBulk(jobs: readonly { name: string; data: object }[]): Promise<unknown>;
  waitUntilReady(): Promise<unknown>;
  getWaitingCount(): Promise<number>;
}

interface Redis {
  flushall(): Promise<unknown>;
}

interface Packages {
  readonly Queue: new (name: string, options: { connection: Redis }) => BullQueue;
  readonly Redis: new (options: object) => Redis;
}

/** BullMQ over ioredis, on one connection that stays open. */
export async function openBullmq(
  socket: string,
  options: { readonly folder: string; readonly autoPipelining: boolean },
): Promise<Producer> {
  const load = createRequire(`${options.folder}/`);
  const { Queue } = load('bullmq') as Pick<Packages, 'Queue'>;
  const { Redis } = load('ioredis') as Pick<Packages, 'Redis'>;
  const connection = new Redis({
    path: socket,
    enableAutoPipelining: options.autoPipelining,
    maxRetriesPerRequest: null,
  });
  const queues = new Map<string, BullQueue>();
  const queueOf = (name: string): BullQueue => {
    const queue = queues.get(name) ?? new Queue(name, { connection });
    queues.set(name, queue);
    return queue;
  };
  await queueOf('first').waitUntilReady();
  return {
    async enqueue(name, first, count) {
      const queue = queueOf(name);
      if (count === 1) await queue.add('bench', dataOf(name, first));
      else {
        const dataAt = (_: unknown, index: number) => dataOf(name, first + index);
        const datas = Array.from({ length: count }, dataAt);
        await queue.addBulk(datas.map((data) => ({ name: 'bench', data })));
      }
    },
    async empty(name, count) {
      expectCount('BullMQ', await queueOf(name).getWaitingCount(), count);
      await connection.flushall();
    },
  };
}

/** A rate of jobs that are not there would mean nothing. */
function expectCount(who: string, found: number, count: number): void {
  if (found !== count) throw new Error(`${who} holds ${found} jobs, ${count} were acknowledged`);
}
