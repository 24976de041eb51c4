/** Cancel, Retry, Pause and Purge: what an operator may do with jobs and queues, whoever holds them. */

import { type ItemAnswer, noError } from '../../protocol/index.ts';
import type { Now } from '../events.ts';
import { type Core } from './core.ts';
import { tokenOf } from './job-entry.ts';
import { answer } from './settle.ts';

/** Cancels jobs that are not done. Their holders are told at once, and again when they renew. */
export function cancel(core: Core, ids: readonly string[], now: Now): ItemAnswer[] {
  return ids.map((id) => {
    const job = core.store.jobs.get(id);
    if (job === undefined) return answer('NOT_FOUND', null, 'no such job');
    if (job.state === 'done' || job.state === 'cancelled') {
      return answer('BAD_STATE', job, `the job is ${job.state}`);
    }
    const holder = job.state === 'leased' ? core.sessions.get(job.session ?? '') : undefined;
    core.dropLease(job);
    core.commit({ kind: 'cancelled', id, atMs: now.wallMs });
    if (holder !== undefined && holder.connection !== null) {
      const items = [{ token: tokenOf(job), directive: 'cancel' as const }];
      core.send(holder.connection, 0, 'Directives', { items });
    }
    return { code: noError, state: job.state, message: '' };
  });
}

/** Makes dead jobs ready again, with their counters at zero. */
export function retry(core: Core, ids: readonly string[], now: Now): ItemAnswer[] {
  return ids.map((id) => {
    const job = core.store.jobs.get(id);
    if (job === undefined) return answer('NOT_FOUND', null, 'no such job');
    if (job.state !== 'dead') return answer('BAD_STATE', job, `the job is ${job.state}, not dead`);
    core.commit({ kind: 'retried', id, atMs: now.wallMs });
    return { code: noError, state: job.state, message: '' };
  });
}

/** Stops or restarts deliveries of a queue; doing it twice changes nothing. */
export function setPaused(core: Core, queue: string, paused: boolean, now: Now): void {
  if ((core.store.queues.get(queue)?.paused ?? false) === paused) return;
  core.commit({ kind: paused ? 'paused' : 'unpaused', queue, atMs: now.wallMs });
}

/** Cancels the waiting jobs of a queue (ready and delayed); tells how many. */
export function purge(core: Core, queue: string, now: Now): number {
  const waiting = core.store.bySeq.filter(
    (job) => job.queue === queue && (job.state === 'ready' || job.state === 'delayed'),
  );
  for (const { id } of waiting) core.commit({ kind: 'cancelled', id, atMs: now.wallMs });
  return waiting.length;
}
