/**
 * Matching ready jobs to sessions that have room. Each session in turn gets one job, from each of
 * its queues in turn, so that neither a large queue nor a large consumer starves the others.
 */

import { type Delivery, limits } from '../../protocol/index.ts';
import type { Now } from '../events.ts';
import { type Core, jobsPerEventMax, leasedBytesMax, type Session } from './core.ts';
import { type Fetched, outgoing } from './effects.ts';
import { Origins } from './job-details.ts';
import { type JobEntry, tokenOf } from './job-entry.ts';
import { expireJob } from './waiting.ts';

/** Room that a Deliver frame needs beside the jobs, for each job. */
const itemOverheadBytes = 64;

/** A delivery before its bytes were read from the log. */
interface Grant extends Omit<Delivery, 'job' | 'enqueuedAtMs'> {
  readonly base: number;
  readonly seq: number;
  readonly jobBytes: number;
}

/** Hands out ready jobs. Returns false when the bound was reached and more could be handed out. */
export function deliverReady(core: Core, now: Now): boolean {
  if (core.state.jobs.readyCount === 0 || core.diskFull) return true;
  const jobsMax = core.readPause.jobsMax(now.monotonicMs);
  const granted = new Map<Session, Grant[]>();
  let hungry = [...core.sessions.values()].filter(hasRoom);
  let count = 0;
  while (hungry.length > 0 && count < jobsMax) {
    const stillHungry: Session[] = [];
    for (const session of hungry) {
      const job = count < jobsMax ? nextJobFor(core, session) : undefined;
      if (job === undefined) continue;
      count++;
      if (expireJob(core, job, now)) {
        stillHungry.push(session);
        continue;
      }
      const items = granted.get(session) ?? [];
      items.push(grant(core, session, job, now));
      granted.set(session, items);
      if (hasRoom(session)) stillHungry.push(session);
    }
    hungry = stillHungry;
  }
  for (const [session, items] of granted) {
    sendDeliveries(core, session, items);
    core.toTheBack(session);
  }
  // In a pass that was cut short for reads that failed, what is read next brings the following one.
  return count < jobsPerEventMax;
}

function hasRoom(session: Session): boolean {
  const { connection, leases, credit, leasedBytes } = session;
  return connection !== null && leases.size < credit && leasedBytes < leasedBytesMax;
}

function nextJobFor({ state }: Core, session: Session): JobEntry | undefined {
  const { queues } = session;
  for (let offset = 0; offset < queues.length; offset++) {
    const index = (session.turn + offset) % queues.length;
    const queue = state.jobs.queues.find(queues[index] ?? '');
    if (queue === undefined || queue.paused || queue.counts.ready === 0) continue;
    session.turn = (index + 1) % queues.length;
    return state.jobs.at(state.jobs.queues.nextReady(queue));
  }
  return undefined;
}

function grant(core: Core, session: Session, job: JobEntry, now: Now): Grant {
  core.commit({
    kind: 'delivered',
    id: job.id,
    epoch: core.state.epoch,
    delivery: job.deliveries + 1,
    session: session.id,
    isolated: job.crashes > 0,
    atMs: now.wallMs,
  });
  core.addLease(session, job, now);
  return {
    token: tokenOf(job),
    attempt: job.attempts + 1,
    crashes: job.crashes,
    isolated: job.isolated,
    leaseMs: core.options.leaseMs,
    base: job.base,
    seq: job.seq,
    jobBytes: job.jobBytes,
  };
}

/** Sends deliveries in frames that the client takes, small ones: a slow line should not be busy with one. */
function sendDeliveries(core: Core, session: Session, items: Grant[]): void {
  const bytesMax = Math.min(session.frameBytesMax, limits.batchBytesMax) - itemOverheadBytes;
  let frame: Grant[] = [];
  let frameBytes = 0;
  for (const item of items) {
    const bytes = item.jobBytes + itemOverheadBytes;
    if (frame.length > 0 && frameBytes + bytes > bytesMax) {
      sendFrame(core, session, frame);
      frame = [];
      frameBytes = 0;
    }
    frame.push(item);
    frameBytes += bytes;
  }
  sendFrame(core, session, frame);
}

function sendFrame(core: Core, { connection }: Session, grants: readonly Grant[]): void {
  if (connection === null) return;
  core.read({
    offsets: grants.map(({ base }) => base),
    use: (records) => {
      const items: Delivery[] = [];
      const unreadable: string[] = [];
      const origins = new Origins();
      for (const [index, { base, seq, jobBytes: _, ...item }] of grants.entries()) {
        const record = records[index] ?? null;
        if (record === null) {
          unreadable.push(item.token.id);
          continue;
        }
        const { encoded: job, enqueuedAtMs } = origins.find(record, { base, seq });
        items.push({ ...item, enqueuedAtMs, job });
      }
      const fetched: Fetched[] = [];
      if (items.length > 0) {
        fetched.push({ type: 'send', outgoing: outgoing(connection, 0, 'Deliver', { items }) });
      }
      if (core.readPause.isOn && items.length > 0) {
        fetched.push({ type: 'event', event: { type: 'readAgain' } });
      }
      if (unreadable.length > 0) {
        fetched.push({ type: 'event', event: { type: 'unreadable', ids: unreadable } });
      }
      return fetched;
    },
    unread: ({ message: reason }) => {
      const ids = grants.map(({ token }) => token.id);
      return [{ type: 'event', event: { type: 'unread', ids, reason } }];
    },
  });
}
