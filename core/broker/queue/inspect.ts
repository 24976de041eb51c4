/** Inspect, List, Stats and Wait: what the broker tells about its jobs. Nothing here changes a job. */

import { type JobInfo, limits, type Message, type QueueInfo } from '../../protocol/index.ts';
import type { Now } from '../events.ts';
import type { Core } from './core.ts';
import { infoBytesMax, infoOf, infosBytesMax, isFinished, type JobEntry } from './job-entry.ts';
import { idStartLength, idStartOf, noJobs } from './job-store.ts';
import type { Waiter } from './wait-list.ts';

const inspectRowsMax = 10;
/** Rows that one List looks at; a page may be short and still have a next one. */
const listScanMax = 10_000;

/** Jobs whose id begins with the text, at most ten. */
export function inspect(core: Core, request: Message<'Inspect'>): Message<'InspectOk'>['jobs'] {
  const jobs = jobsWithPrefix(core, request.idPrefix);
  return jobs.map((job) => ({
    info: infoOf(job),
    job: request.withJob ? job.bytes : null,
    history: [],
  }));
}

function jobsWithPrefix(core: Core, prefix: string): JobEntry[] {
  const exact = core.store.jobs.get(prefix);
  if (exact !== undefined) return [exact];
  const found: JobEntry[] = [];
  for (const job of candidates(core, prefix)) {
    if (job.id.startsWith(prefix)) found.push(job);
    if (found.length === inspectRowsMax) break;
  }
  return found;
}

/** A prefix that is too short for the index fits so many ids that ten are soon found among all. */
function candidates({ store }: Core, prefix: string): readonly JobEntry[] {
  return prefix.length < idStartLength
    ? store.bySeq
    : (store.byIdStart.get(idStartOf(prefix)) ?? []);
}

/** A page of jobs, newest first. */
export function list(core: Core, request: Message<'List'>): Message<'ListOk'> {
  const { bySeq } = core.store;
  const limit = Math.min(request.limit, limits.listRowsMax);
  const jobs: JobInfo[] = [];
  const newest = request.before === 0 ? bySeq.length : Math.min(request.before - 1, bySeq.length);
  let bytes = 0;
  let seq = newest;
  for (; seq > 0 && jobs.length < limit && newest - seq < listScanMax; seq--) {
    const job = bySeq[seq - 1];
    if (job === undefined || !fits(job, request)) continue;
    bytes += infoBytesMax(job);
    if (jobs.length > 0 && bytes > infosBytesMax) break;
    jobs.push(infoOf(job));
  }
  return { jobs, next: seq > 0 ? seq + 1 : 0 };
}

function fits(job: JobEntry, request: Message<'List'>): boolean {
  if (request.queue !== null && request.queue !== job.queue) return false;
  return request.state === null || request.state === job.state;
}

/** The counts of the named queues, or of all when none is named. */
export function queueInfos(core: Core, names: readonly string[], now: Now): QueueInfo[] {
  const wanted = names.length > 0 ? names : [...core.store.queues.keys()].sort();
  const consumers = countConsumers(core);
  return wanted.map((name) => ({
    ...queueInfo(core, name, now),
    consumers: consumers.get(name) ?? 0,
  }));
}

function queueInfo(core: Core, name: string, now: Now): Omit<QueueInfo, 'consumers'> {
  const queue = core.store.queues.get(name);
  const { none: _, ...counts } = queue?.counts ?? noJobs;
  const oldest = queue?.ready.peek();
  return {
    queue: name,
    paused: queue?.paused ?? false,
    ...counts,
    oldestReadyMs: oldest === undefined ? 0 : Math.max(0, now.wallMs - oldest.changedAtMs),
    bytes: 0,
    jobsMax: 0,
    bytesMax: 0,
    keepMs: 0,
    keepJobs: 0,
  };
}

/** By queue: the sessions that are connected with credit for it, or hold leases of it. */
function countConsumers(core: Core): Map<string, number> {
  const consumers = new Map<string, number>();
  for (const { connection, credit, queues, leases } of core.sessions.values()) {
    const served = new Set(connection !== null && credit > 0 ? queues : []);
    for (const { job } of leases.values()) served.add(job.queue);
    for (const queue of served) consumers.set(queue, (consumers.get(queue) ?? 0) + 1);
  }
  return consumers;
}

/** Answers now when the job is finished, else when it will be; null when there is no such job. */
export function wait(
  core: Core,
  { connection, correlationId }: Waiter,
  id: string,
): JobInfo | 'later' | null {
  const job = core.store.jobs.get(id);
  if (job === undefined) return null;
  if (isFinished(job.state)) return infoOf(job);
  core.waiting.add(id, { connection, correlationId });
  return 'later';
}
