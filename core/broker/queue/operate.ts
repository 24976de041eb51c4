/** Cancel and Retry: what an operator may do with a job, whoever holds it. */

import { type ItemAnswer, noError } from '../../protocol/index.ts';
import type { Now } from '../events.ts';
import type { Core } from './core.ts';
import { answer } from './settle.ts';

/** Cancels jobs that are not done; their holders hear of it at the next renewal. */
export function cancel(core: Core, ids: readonly string[], now: Now): ItemAnswer[] {
  return ids.map((id) => {
    const job = core.store.jobs.get(id);
    if (job === undefined) return answer('NOT_FOUND', null, 'no such job');
    if (job.state === 'done' || job.state === 'cancelled') {
      return answer('BAD_STATE', job, `the job is ${job.state}`);
    }
    core.dropLease(job);
    core.commit({ kind: 'cancelled', id, atMs: now.wallMs });
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
