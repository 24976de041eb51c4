/** The `JobQueue` port over the built-in broker: one client that asks, one session per consumer. */

import { Client, type EnqueueAnswer, type SessionOptions } from '../../client/index.ts';
import { decodeJob, errorCodeOf, type Job } from '../../protocol/index.ts';
import type { ConsumeOptions, Enqueued, InspectedJob, JobQueue } from '../port.ts';
import { openAiqConsumer } from './aiq-consumer.ts';
import { settledOf } from './answers.ts';

const listRowsDefault = 100;

/**
 * Connects and returns the queue.
 * @throws AiqError what `Client.opened` throws
 */
export async function openAiqQueue(address: string, session: SessionOptions): Promise<JobQueue> {
  const client = new Client(session);
  try {
    await client.opened();
  } catch (error) {
    await client.close();
    throw error;
  }
  return {
    address,
    enqueue: async (jobs, options) => (await client.enqueue(jobs, options?.atomic)).map(enqueuedOf),
    consume: (options: ConsumeOptions) => openAiqConsumer(session, options),
    async inspect(idPrefix, options) {
      const withJob = options?.withJob ?? false;
      const { jobs } = await client.request('Inspect', { idPrefix, withJob });
      return jobs.map(({ info, job }): InspectedJob => ({ info, job: jobOf(job) }));
    },
    async list({ queue, state, before, limit }) {
      const answer = await client.request('List', {
        queue: queue ?? null,
        state: state ?? null,
        before: before ?? 0,
        limit: limit ?? listRowsDefault,
      });
      return { jobs: answer.jobs, next: answer.next === 0 ? null : answer.next };
    },
    stats: (queues) => client.request('Stats', { queues: [...(queues ?? [])] }),
    async wait(id, signal) {
      const options = { deadlineMs: Number.POSITIVE_INFINITY, signal };
      return (await client.request('Wait', { id }, options)).job;
    },
    cancel: async (ids) => (await client.request('Cancel', { ids: [...ids] })).items.map(settledOf),
    retry: async (ids) => (await client.request('Retry', { ids: [...ids] })).items.map(settledOf),
    async shutdown() {
      await client.request('Shutdown', {});
    },
    close: () => client.close(),
  };
}

function enqueuedOf(answer: EnqueueAnswer): Enqueued {
  const { id, outcome, state, code, message } = answer;
  if (outcome !== 'refused') return { id, outcome, state };
  return { id, outcome, code: errorCodeOf(code), message };
}

/** A job that this version cannot read is shown without its content. */
function jobOf(bytes: Uint8Array | null): Job | null {
  if (bytes === null) return null;
  try {
    return decodeJob(bytes);
  } catch {
    return null;
  }
}
