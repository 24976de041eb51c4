/** The `JobQueue` port over the built-in broker: one client that asks, one session per consumer. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type BackoffRange, backoffMs } from '../../base/index.ts';
import {
  Client,
  type EnqueueAnswer,
  openWatcher,
  type SessionOptions,
  type Watcher,
} from '../../client/index.ts';
import { decodeJob, errorCodeOf, type Job, type JobInfo, limits } from '../../protocol/index.ts';
import { readNote } from '../describe-job.ts';
import type { Enqueued, JobFilter, JobPage, JobQueue, WatchOptions } from '../port.ts';
import type { ConsumeOptions } from '../port-consumer.ts';
import { openAiqConsumer } from './aiq-consumer.ts';
import { batchesOf, moneyOf } from './money.ts';
import { operationsOf } from './operations.ts';
import { outputsOf } from './outputs.ts';
import { search } from './search.ts';
import { isLarge, storeBodies, valuesOf } from './values.ts';

const listRowsDefault = 100;

/**
 * Connects and returns the queue.
 * @throws AiqError what `Client.opened` throws
 */
export async function openAiqQueue(
  { address, sharedBy }: Pick<JobQueue, 'address' | 'sharedBy'>,
  session: SessionOptions,
): Promise<JobQueue> {
  const client = new Client(session);
  const watchers = new Set<Watcher>();
  try {
    await client.opened();
  } catch (error) {
    await client.close();
    throw error;
  }
  return {
    ...operationsOf(client),
    ...valuesOf(client),
    ...outputsOf(client),
    ...moneyOf(client),
    ...batchesOf(client),
    address,
    sharedBy,
    enqueue: (jobs, options) => enqueue(client, jobs, options?.atomic ?? false),
    consume: (options: ConsumeOptions) => openAiqConsumer(client, session, options),
    async inspect(idPrefix, options) {
      const withJob = options?.withJob ?? false;
      const { jobs } = await client.request('Inspect', { idPrefix, withJob });
      return jobs.map(({ info, job, history }) => ({ info, job: jobOf(job), history }));
    },
    list: (filter) => list(client, filter),
    search: (filter) => search(client, filter),
    async stats(queues = []) {
      return { queues: (await client.request('Stats', { queues: [...queues] })).queues };
    },
    engineStats: () => client.request('Stats', { queues: [] }),
    problems: async () => (await client.request('Problems', {})).texts,
    wait: (id, signal) => wait(client, id, signal),
    watch: (options) => watch(options, { client, session, watchers }),
    async close() {
      await Promise.all([...watchers, client].map((open) => open.close()));
    },
  };
}

const writingPolls: BackoffRange = { minMs: 2, maxMs: 500 };

/** A job that is done is asked for again as long as its files are on their way. */
async function wait(client: Client, id: string, signal?: AbortSignal): Promise<JobInfo> {
  for (let asked = 1; ; asked++) {
    const options = { deadlineMs: Number.POSITIVE_INFINITY, signal };
    const { job } = await client.request('Wait', { id }, options);
    const isOpen = job.output === 'unwritten' && readNote(job.note).notWritten === undefined;
    if (!isOpen) return job;
    await sleep(backoffMs(asked, writingPolls), undefined, { signal }).catch(() => {});
    signal?.throwIfAborted();
  }
}

async function enqueue(client: Client, jobs: readonly Job[], atomic: boolean): Promise<Enqueued[]> {
  const outgoing = jobs.some(isLarge) ? await storeBodies(client, jobs) : jobs;
  return (await client.enqueue(outgoing, atomic)).map(enqueuedOf);
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
  const watcher = await openWatcher({
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
