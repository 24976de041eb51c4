/** Cancel, Retry, Pause and settings: what an operator may do with jobs and queues, whoever holds them. */

import { type ItemAnswer, isQueueName, type Message, noError } from '../../../protocol/index.ts';
import type { Now } from '../../events.ts';
import type { Core } from '../context/core.ts';
import { answer as answerTo, refuse } from '../context/request.ts';
import { type JobEntry, tokenOf } from '../state/job-entry.ts';
import type { CoreRequestContext } from './inspect.ts';
import { answer } from './settle.ts';

/** Cancels jobs that are not done. Their holders are told at once, and again when they renew. */
export function cancel(core: Core, ids: readonly string[], now: Now): ItemAnswer[] {
  return ids.map((id) => {
    const job = core.state.jobs.get(id);
    if (job === undefined) return answer('NOT_FOUND', null, 'no such job');
    if (job.state === 'done' || job.state === 'cancelled') {
      return answer('BAD_STATE', job, `the job is ${job.state}`);
    }
    cancelOne(core, job, now);
    return { code: noError, state: job.state, message: '' };
  });
}

function cancelOne(core: Core, job: JobEntry, now: Now): void {
  const holder = core.leases.of(job)?.session;
  core.leases.drop(job);
  core.commit({ kind: 'cancelled', ids: [job.id], atMs: now.wallMs });
  if (holder === undefined || holder.connection === null) return;
  const items = [{ token: tokenOf(job), directive: 'cancel' as const }];
  core.effects.send(holder.connection, 0, 'Directives', { items });
}

/** Makes dead jobs ready again, with their counters at zero. */
export function retry(core: Core, ids: readonly string[], now: Now): ItemAnswer[] {
  return ids.map((id) => {
    const job = core.state.jobs.get(id);
    if (job === undefined) return answer('NOT_FOUND', null, 'no such job');
    if (job.state !== 'dead') return answer('BAD_STATE', job, `the job is ${job.state}, not dead`);
    core.commit({ kind: 'retried', ids: [id], atMs: now.wallMs });
    return { code: noError, state: job.state, message: '' };
  });
}

/** Stops or restarts deliveries of a queue; doing it twice changes nothing. */
export function setPaused(caller: CoreRequestContext, queue: string, paused: boolean): void {
  const { core, now } = caller;
  const isPaused = core.state.jobs.queues.find(queue)?.paused ?? false;
  if (!requireQueueName(caller, queue, paused)) return;
  if (isPaused !== paused) {
    core.commit({ kind: paused ? 'paused' : 'unpaused', queue, atMs: now.wallMs });
  }
  answerTo(caller, 'Ok', {});
}

/** Sets limits and retention of a queue; jobs that are there already stay, however many. */
export function configureQueue(
  caller: CoreRequestContext,
  fields: Message<'ConfigureQueue'>,
): void {
  const { queue, ...settings } = fields;
  const isKept = Object.values(settings).some((value) => value !== 0);
  if (!requireQueueName(caller, queue, isKept)) return;
  if (isKept || caller.core.state.jobs.queues.find(queue) !== undefined) {
    caller.core.commit({ kind: 'queueConfigured', ...fields });
  }
  answerTo(caller, 'Ok', {});
}

/**
 * Refuses what is no queue's name, and settings that are kept for a queue of which nothing is known
 * when there are too many of these: they take none of the names that queues with jobs may have.
 */
function requireQueueName(caller: CoreRequestContext, queue: string, isKept: boolean): boolean {
  const { options, state } = caller.core;
  if (!isQueueName(queue)) {
    refuse(caller, 'BAD_REQUEST', `not a queue name: ${JSON.stringify(queue.slice(0, 60))}`);
    return false;
  }
  const { queues } = state.jobs;
  if (!isKept || queues.find(queue) !== undefined) return true;
  if (queues.withoutJobs < options.queuesMax) return true;
  const most = `${options.queuesMax} queues without jobs are paused or have settings, the limit`;
  refuse(caller, 'QUEUE_FULL', `${most}: resume some, or set theirs to 0`);
  return false;
}
