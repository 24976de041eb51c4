/** Enqueue: accepts new jobs, recognises known ones, refuses what does not fit; item by item. */

import { type ErrorCode, errorCodes, type Message } from '../../protocol/index.ts';
import type { CheckedJob, NetEvent, Now } from '../events.ts';
import type { Core } from './core.ts';
import { digestText } from './job-entry.ts';

type EnqueueEvent = Extract<NetEvent, { type: 'enqueue' }>;
type Answer = Message<'EnqueueOk'>['items'][number];

const zeroId = '0'.repeat(26);

export function enqueue(core: Core, event: EnqueueEvent, now: Now): void {
  const { connection, correlationId } = event;
  const refusals = event.atomic ? refusalsOf(core, event.jobs) : null;
  const items = refusals?.some((refusal) => refusal !== null)
    ? event.jobs.map(
        (job, index) =>
          refusals[index] ??
          refused(job, 'BATCH_REFUSED', 'another job of the atomic batch was refused'),
      )
    : event.jobs.map((job) => accept(core, job, now));
  core.send(connection, correlationId, 'EnqueueOk', { items });
}

/** For an atomic batch: which items would be refused, without accepting any. */
function refusalsOf(core: Core, jobs: readonly CheckedJob[]): (Answer | null)[] {
  const digests = new Map<string, string>();
  let newJobs = 0;
  let newBytes = 0;
  return jobs.map((checked) => {
    if (!checked.ok) return refused(checked, checked.code, checked.message);
    const { id, digest } = checked.job;
    const known = core.store.jobs.get(id)?.digest ?? digests.get(id);
    if (known !== undefined) return known === digestText(digest) ? null : conflict(checked);
    digests.set(id, digestText(digest));
    const full = fullness(core, newJobs + 1, newBytes + checked.bytes.length);
    if (full !== null) return refused(checked, 'QUEUE_FULL', full);
    newJobs++;
    newBytes += checked.bytes.length;
    return null;
  });
}

function accept(core: Core, checked: CheckedJob, now: Now): Answer {
  if (!checked.ok) return refused(checked, checked.code, checked.message);
  const { job, bytes } = checked;
  const known = core.store.jobs.get(job.id);
  if (known !== undefined) {
    if (known.digest !== digestText(job.digest)) return conflict(checked);
    return { id: job.id, outcome: 'exists', state: known.state, code: 0, message: '' };
  }
  const full = fullness(core, 1, bytes.length);
  if (full !== null) return refused(checked, 'QUEUE_FULL', full);
  const dueAtMs = job.delayMs > 0 ? now.wallMs + job.delayMs : 0;
  core.commit({ kind: 'enqueued', atMs: now.wallMs, dueAtMs, job: bytes });
  const state = core.store.jobs.get(job.id)?.state ?? 'none';
  return { id: job.id, outcome: 'created', state, code: 0, message: '' };
}

/** Why there is no room for that many more jobs and bytes, or null when there is. */
function fullness(core: Core, moreJobs: number, moreBytes: number): string | null {
  const { jobsMax, liveBytesMax } = core.options;
  if (core.store.jobs.size + moreJobs > jobsMax)
    return `the broker holds ${jobsMax} jobs, its limit`;
  if (core.store.liveBytes + moreBytes > liveBytesMax) {
    return `the broker holds ${core.store.liveBytes} bytes of unfinished jobs; its limit is ${liveBytesMax}`;
  }
  return null;
}

function conflict(checked: CheckedJob): Answer {
  return refused(checked, 'CONFLICT', 'a job with this id and other content exists');
}

function refused(checked: CheckedJob, code: ErrorCode, message: string): Answer {
  const id = (checked.ok ? checked.job.id : checked.id) ?? zeroId;
  return { id, outcome: 'refused', state: 'none', code: errorCodes[code].number, message };
}
