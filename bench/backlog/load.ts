/** Fills queues with many jobs and works them off again. */

import { type Consumer, type JobQueue, newJob } from '../../core/job-queue/index.ts';

const jobBytes = 1024;
const batchJobs = 1000;
const calls = 4;
const credit = 1000;

/** Job number n of a queue: `jobBytes` of JSON, and never twice the same. */
function jobOf(queue: string, number: number) {
  const name = `${queue}-${number}`;
  const emptyBytes = JSON.stringify({ input: { name, text: '' } }).length;
  const input = { name, text: 'x'.repeat(jobBytes - emptyBytes) };
  return newJob({ agent: 'bench', agentDigest: 'ab'.repeat(32), queue, input });
}

/** Adds the jobs from number `first` up to `end`. @throws Error when one is not taken */
export async function fill(
  queue: JobQueue,
  name: string,
  { first, end }: { readonly first: number; readonly end: number },
): Promise<void> {
  let next = first;
  const call = async (): Promise<void> => {
    while (next < end) {
      const from = next;
      next = Math.min(end, from + batchJobs);
      const jobs = Array.from({ length: next - from }, (_, index) => jobOf(name, from + index));
      const wrong = (await queue.enqueue(jobs)).find(({ outcome }) => outcome !== 'created');
      if (wrong !== undefined) throw new Error(`not taken: ${JSON.stringify(wrong)}`);
    }
  };
  await Promise.all(Array.from({ length: calls }, call));
}

/** Acknowledges so many jobs of a queue. */
export async function workOff(queue: JobQueue, name: string, count: number): Promise<void> {
  const finished = Promise.withResolvers<void>();
  let taken = 0;
  let done = 0;
  const settle = async (consumer: Consumer, leased: Parameters<Consumer['settle']>[0]) => {
    const settled = await consumer.settle(leased, { outcome: 'ack' });
    if (!settled.ok) throw new Error(`not settled: ${settled.code}`);
    done++;
    if (done === count) finished.resolve();
  };
  const consumer = await queue.consume({
    queues: [name],
    credit: Math.min(credit, count),
    onDelivery: (leased) => {
      taken++;
      if (taken + credit > count) consumer.setCredit(Math.max(0, count - taken));
      if (taken <= count) settle(consumer, leased).catch(finished.reject);
    },
    onLeaseLost: ({ job }) => finished.reject(new Error(`lost the lease of ${job.id}`)),
  });
  await finished.promise;
  await consumer.close();
}

/** Resolves with the first delivery of any of the queues; the job is handed back. */
export async function firstDelivery(queue: JobQueue, names: readonly string[]): Promise<void> {
  const delivered = Promise.withResolvers<void>();
  const consumer = await queue.consume({
    queues: names,
    credit: 1,
    onDelivery: () => delivered.resolve(),
    onLeaseLost: () => undefined,
  });
  await delivered.promise;
  await consumer.close();
}
