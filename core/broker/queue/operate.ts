/** Cancel, Retry, Pause and Purge: what an operator may do with jobs and queues, whoever holds them. */

import { type ItemAnswer, type Message, noError } from '../../protocol/index.ts';
import type { Now } from '../events.ts';
import { type Core, jobsPerEventMax } from './core.ts';
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

/** Jobs that one Purge looks at. */
const purgeScanMax = 10_000;

/**
 * Cancels the waiting jobs of a queue (ready and delayed), newest first, as many as one event may
 * touch; the client asks again with `next` until that is 0.
 */
export function purge(
  core: Core,
  { queue, before }: Message<'Purge'>,
  now: Now,
): Message<'PurgeOk'> {
  const { bySeq } = core.store;
  const newest = before === 0 ? bySeq.length : Math.min(before - 1, bySeq.length);
  let removed = 0;
  let seq = newest;
  for (; seq > 0 && removed < jobsPerEventMax && newest - seq < purgeScanMax; seq--) {
    const job = bySeq[seq - 1];
    if (job === undefined || job.queue !== queue) continue;
    if (job.state !== 'ready' && job.state !== 'delayed') continue;
    core.commit({ kind: 'cancelled', id: job.id, atMs: now.wallMs });
    removed++;
  }
  return { removed, next: seq > 0 ? seq + 1 : 0 };
}
