/** Deadlines of jobs: delays end, jobs expire, and finished ones are forgotten when their retention ends. */

import { expiryClockMs, type Now } from '../../events.ts';
import { type Core, jobsPerStepMax } from '../context/core.ts';
import { isFinished, type JobEntry } from '../state/job-entry.ts';
import type { NamedQueue } from '../state/named-queue.ts';
import { dropUnused } from './batches.ts';

/** Delayed jobs that are due become ready; not logged, because replay does the same by the clock. */
export function wakeDelayed(core: Core, now: Now, jobsMax: number): void {
  const { jobs } = core.state;
  for (let count = 0; count < jobsMax; count++) {
    const seq = jobs.delayed.popDue(now.wallMs);
    if (seq === undefined) return;
    const job = jobs.bySeq(seq);
    if (job?.state !== 'delayed') continue;
    const dueAtMs = jobs.extras.dueAtMs.get(job.slot) ?? 0;
    if (dueAtMs > now.wallMs) continue;
    jobs.makeReady(job);
    core.notifications.recordChange(job);
  }
}

/** Jobs that wait beyond their expiry become dead. A leased one may finish: see `decideLeaseEnd`. */
export function expireWaiting(core: Core, now: Now, jobsMax: number): void {
  const { jobs } = core.state;
  for (let count = 0; count < jobsMax; count++) {
    const seq = jobs.expiry.popDue(expiryClockMs(now));
    if (seq === undefined) return;
    const job = jobs.bySeq(seq);
    if (job !== undefined) expireJob(core, job, now);
  }
}

/** Makes the job dead when it waits and has expired; true when it did. */
export function expireJob(core: Core, job: JobEntry, now: Now): boolean {
  const { jobs } = core.state;
  const untilMs = jobs.extras.expiresAtMs.get(job.slot);
  if (untilMs === undefined || untilMs > expiryClockMs(now)) return false;
  if (job.state !== 'ready' && job.state !== 'delayed' && job.state !== 'parked') return false;
  core.commit({ kind: 'expired', ids: [job.id], atMs: now.wallMs });
  return true;
}

/**
 * Removes some outdated deadlines of leases and jobs, which would pile up until they are due, perhaps for
 * years; true when there may be many more.
 */
export function sweepDeadlines({ leases, state }: Core): boolean {
  const { jobs } = state;
  const { dueAtMs, expiresAtMs } = jobs.extras;
  const found = [
    leases.deadlines.sweep((lease) => !lease.ended),
    jobs.delayed.sweep((seq, atMs) => {
      const job = jobs.bySeq(seq);
      return job?.state === 'delayed' && dueAtMs.get(job.slot) === atMs;
    }),
    jobs.expiry.sweep((seq, atMs) => {
      const job = jobs.bySeq(seq);
      return job !== undefined && !isFinished(job.state) && expiresAtMs.get(job.slot) === atMs;
    }),
  ];
  return found.includes(true);
}

/** Forgets terminal jobs beyond the retention of their queue; returns how many. */
export function forgetExpired(core: Core, now: Now, jobsMax: number): number {
  const { jobs } = core.state;
  let count = 0;
  for (const queue of jobs.queues.all()) {
    const mayGo = retentionOf(core, queue, now);
    const ids: string[] = [];
    let slot = queue.terminal.rows.head;
    while (slot !== 0 && count < jobsMax) {
      const job = jobs.at(slot);
      if (job === undefined || !mayGo(job, ids.length)) break;
      ids.push(job.id);
      count++;
      slot = queue.terminal.rows.after(slot);
    }
    if (ids.length > 0) core.commit({ kind: 'forgotten', ids });
  }
  return count;
}

/** The test whether a queue's oldest job may be forgotten, when `going` others are forgotten as well. */
function retentionOf(
  { options }: Core,
  { settings, terminal }: NamedQueue,
  { wallMs }: Now,
): (job: JobEntry, going: number) => boolean {
  const keepJobs = settings.keepJobs || options.keepJobs;
  const keepMs = settings.keepMs || options.keepMs;
  return (job, going) =>
    terminal.rows.length - going > keepJobs || job.changedAtMs + keepMs <= wallMs;
}

/** How often retention is checked, unless more is to be done at once. */
const retentionMs = 1000;

/** Schedules retention by the wall clock, which also runs while nothing has a deadline. */
export class RetentionClock {
  #nextMs = 0;

  /** Forgets what is due; true when a bound left some for the next time. */
  tick(core: Core, now: Now): boolean {
    if (now.wallMs < this.#nextMs) return false;
    const more = forgetExpired(core, now, jobsPerStepMax) === jobsPerStepMax;
    dropUnused(core, now);
    if (!more) this.#nextMs = now.wallMs + retentionMs;
    return more;
  }
}
