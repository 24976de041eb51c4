/** Cancel, Retry, Pause and settings: what an operator may do with jobs and queues, held or not. */

import { isQueueName } from '../../../protocol/index.ts';
import type { Now } from '../../events.ts';
import type { Core } from '../context/core.ts';
import { itemError, itemOk, type Request, refuse, respond } from '../context/request.ts';
import { loseCalls } from '../lifecycle/budgets.ts';
import type { RecordOf } from '../records/records.ts';
import { type JobEntry, tokenOf } from '../state/job-entry.ts';
import { namedTooMany } from './admission.ts';

/** Cancels jobs that are not done. Their holders are notified at once, and again when they renew. */
export function cancel(request: Request<'Cancel'>): void {
  const { core, now } = request;
  const items = request.fields.ids.map((id) => {
    const job = core.state.jobs.get(id);
    if (job === undefined) return itemError('NOT_FOUND', null, 'no such job');
    if (job.state === 'done' || job.state === 'cancelled') {
      return itemError('BAD_STATE', job, `the job is ${job.state}`);
    }
    cancelOne(core, job, now);
    return itemOk(job);
  });
  respond(request, 'CancelOk', { items });
}

function cancelOne(core: Core, job: JobEntry, now: Now): void {
  const holder = core.leases.of(job)?.session;
  core.leases.drop(job);
  core.commit({ kind: 'cancelled', ids: [job.id], atMs: now.wallMs });
  loseCalls(core, job.id, now);
  if (holder === undefined || holder.connection === null) return;
  const items = [{ token: tokenOf(job), directive: 'cancel' as const }];
  core.effects.send(holder.connection, 0, 'Directives', { items });
}

/** Makes dead jobs ready again, with their counters at zero. */
export function retry(request: Request<'Retry'>): void {
  const { core, now } = request;
  const items = request.fields.ids.map((id) => {
    const job = core.state.jobs.get(id);
    if (job === undefined) return itemError('NOT_FOUND', null, 'no such job');
    if (job.state !== 'dead')
      return itemError('BAD_STATE', job, `the job is ${job.state}, not dead`);
    core.commit({ kind: 'retried', ids: [id], atMs: now.wallMs });
    return itemOk(job);
  });
  respond(request, 'RetryOk', { items });
}

/** Stops or restarts deliveries of a queue; doing it twice changes nothing. */
export function pause(request: Request<'Pause'>): void {
  setPaused(request, true);
}

export function unpause(request: Request<'Unpause'>): void {
  setPaused(request, false);
}

function setPaused(request: Request<'Pause' | 'Unpause'>, paused: boolean): void {
  const { core, now } = request;
  const { queue } = request.fields;
  const isPaused = core.state.jobs.queues.find(queue)?.paused ?? false;
  if (!requireQueueName(request, queue, paused)) return;
  if (isPaused !== paused) {
    change(request, { kind: paused ? 'paused' : 'unpaused', queue, atMs: now.wallMs });
  }
  respond(request, 'Ok', {});
}

/** Sets limits and retention of a queue; jobs that are there already stay, however many. */
export function configureQueue(request: Request<'ConfigureQueue'>): void {
  const { core, fields } = request;
  const { queue, ...settings } = fields;
  const isKept = Object.values(settings).some((value) => value !== 0);
  if (!requireQueueName(request, queue, isKept)) return;
  if (isKept || core.state.jobs.queues.find(queue) !== undefined) {
    change(request, { kind: 'queueConfigured', ...fields });
  }
  respond(request, 'Ok', {});
}

function change(
  { core, session }: Request<'Pause' | 'Unpause' | 'ConfigureQueue'>,
  record: RecordOf<'paused' | 'unpaused' | 'queueConfigured'>,
): void {
  const { queues } = core.state.jobs;
  const isNew = queues.find(record.queue) === undefined;
  core.commit(record);
  if (isNew) queues.countFor(session.named, record.queue);
}

/**
 * Refuses what is no queue's name, and settings that are kept for a queue of which nothing is known
 * when there are too many of these: they take none of the names that queues with jobs may have.
 */
function requireQueueName(
  request: Request<'Pause' | 'Unpause' | 'ConfigureQueue'>,
  queue: string,
  isKept: boolean,
): boolean {
  const { core, session } = request;
  const { options, state } = core;
  if (!isQueueName(queue)) {
    refuse(request, 'BAD_REQUEST', `not a queue name: ${JSON.stringify(queue.slice(0, 60))}`);
    return false;
  }
  const { queues } = state.jobs;
  if (!isKept || queues.find(queue) !== undefined) return true;
  const free = options.queuesMax - queues.withoutJobs;
  if (session.named.queues < free) return true;
  if (free > 0) {
    refuse(request, 'QUEUE_FULL', namedTooMany(session.named.queues, free));
    return false;
  }
  const most = `${options.queuesMax} queues without jobs are paused or have settings, the limit`;
  refuse(request, 'QUEUE_FULL', `${most}: resume some, or set theirs to 0`);
  return false;
}
