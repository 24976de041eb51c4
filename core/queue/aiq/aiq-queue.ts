/** The `JobQueue` port over the built-in broker: one client that asks, one session per consumer. */

import { Client, type EnqueueAnswer, type SessionOptions, Watcher } from '../../client/index.ts';
import { decodeJob, errorCodeOf, type ItemAnswer, type Job, limits } from '../../protocol/index.ts';
import type {
  ConsumeOptions,
  Enqueued,
  InspectedJob,
  JobFilter,
  JobPage,
  JobQueue,
  Settled,
  WatchOptions,
} from '../port.ts';
import { openAiqConsumer } from './aiq-consumer.ts';
import { settledOf } from './answers.ts';

const listRowsDefault = 100;

/**
 * Connects and returns the queue.
 * @throws AiqError what `Client.opened` throws
 */
export async function openAiqQueue(address: string, session: SessionOptions): Promise<JobQueue> {
  const client = new Client(session);
  const watchers = new Set<Watcher>();
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
    list: (filter) => list(client, filter),
    stats: (queues) => client.request('Stats', { queues: [...(queues ?? [])] }),
    async wait(id, signal) {
      const options = { deadlineMs: Number.POSITIVE_INFINITY, signal };
      return (await client.request('Wait', { id }, options)).job;
    },
    cancel: (ids) => forEach(ids, async (some) => client.request('Cancel', { ids: some })),
    retry: (ids) => forEach(ids, async (some) => client.request('Retry', { ids: some })),
    async pause(queue) {
      await client.request('Pause', { queue });
    },
    async resume(queue) {
      await client.request('Unpause', { queue });
    },
    purge: (queue) => purge(client, queue),
    watch: (options) => watch(options, { client, session, watchers }),
    async shutdown() {
      await client.request('Shutdown', {});
    },
    async close() {
      await Promise.all([...watchers, client].map((open) => open.close()));
    },
  };
}

/** Asks for page after page: one may be short although more rows fit the filter. */
async function list(client: Client, filter: JobFilter): Promise<JobPage> {
  const { queue = null, state = null, limit = listRowsDefault } = filter;
  const jobs: JobPage['jobs'] = [];
  let before = filter.before ?? 0;
  do {
    const wanted = Math.min(limit - jobs.length, limits.listRowsMax);
    const page = await client.request('List', { queue, state, before, limit: wanted });
    jobs.push(...page.jobs);
    before = page.next;
  } while (before !== 0 && jobs.length < limit);
  return { jobs, next: before === 0 ? null : before };
}

/** As many requests as it takes: one names a limited number of jobs. */
async function forEach(
  ids: readonly string[],
  ask: (ids: string[]) => Promise<{ items: ItemAnswer[] }>,
): Promise<Settled[]> {
  const settled: Settled[] = [];
  for (let at = 0; at < ids.length; at += limits.batchItemsMax) {
    const { items } = await ask(ids.slice(at, at + limits.batchItemsMax));
    settled.push(...items.map(settledOf));
  }
  return settled;
}

async function purge(client: Client, queue: string): Promise<number> {
  let removed = 0;
  let before = 0;
  do {
    const answer = await client.request('Purge', { queue, before });
    removed += answer.removed;
    before = answer.next;
  } while (before !== 0);
  return removed;
}

interface Watching {
  readonly client: Client;
  readonly session: SessionOptions;
  readonly watchers: Set<Watcher>;
}

async function watch(
  { queues = [], onChange, onGap, signal }: WatchOptions,
  { client, session, watchers }: Watching,
): Promise<void> {
  signal?.throwIfAborted();
  // Refuses once the queue is closed.
  await client.opened();
  const watcher = await Watcher.open({
    ...session,
    queues,
    onChange,
    onGap: () => onGap?.(),
  });
  watchers.add(watcher);
  const end = (): void => {
    watchers.delete(watcher);
    void watcher.close();
  };
  if (signal?.aborted === true) end();
  else signal?.addEventListener('abort', end, { once: true });
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
