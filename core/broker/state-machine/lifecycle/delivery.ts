/**
 * Delivery: matches ready jobs to sessions with credit, round robin. Each session in turn gets one job,
 * from each of its queues in turn, so that neither a large queue nor a large consumer starves others.
 */

import { type Delivery, type LeaseToken, limits } from '../../../protocol/index.ts';
import type { ConnectionId, Left, Now } from '../../events.ts';
import { type Core, jobsPerStepMax } from '../context/core.ts';
import { type Fetched, outgoing } from '../context/effects.ts';
import { type Lease, leasedBytesMax, type Session } from '../context/session.ts';
import { JobRecordReader } from '../records/job-record-reader.ts';
import { type JobEntry, tokenOf } from '../state/job-entry.ts';
import { parkStopped } from './batches.ts';
import { expireJob } from './deadlines.ts';

/** Room that a Deliver frame needs beside the jobs, for each job. */
const itemOverheadBytes = 64;

/** Slices that the buffers of the system may hold for a peer, after the one that it waits for. */
const buffersInSlices = 2;
/** Most bytes of jobs that are handed out in one go: others get their turn before the next ones. */
const stepBytesMax = 1024 * 1024;

/** A delivery before its bytes were read from the log. */
interface Grant {
  readonly item: Omit<Delivery, 'job' | 'enqueuedAtMs'>;
  readonly base: number;
  readonly lease: Lease;
}

/** Hands out ready jobs. Returns false when the bound was reached and more could be handed out. */
export function deliverReady(core: Core, now: Now): boolean {
  core.subscriptions.wake(core.state.jobs.queues.readied);
  const jobsMax = core.readPause.jobsMax(now.monotonicMs);
  if (jobsMax === 0 || core.state.jobs.readyCount === 0 || core.diskFull) return true;
  const grants: Grant[] = [];
  const hasRoom = (session: Session): boolean => sessionHasRoom(core, session);
  let candidates = [...core.sessions.values()].filter(hasRoom);
  let count = 0;
  let bytes = 0;
  const isFull = (): boolean => count >= jobsMax || bytes >= stepBytesMax;
  while (candidates.length > 0 && !isFull()) {
    const stillCandidates: Session[] = [];
    for (const session of candidates) {
      if (isFull()) break;
      const job = nextJobFor(core, session);
      if (job === undefined) {
        session.mayFind = false;
        continue;
      }
      count++;
      if (expireJob(core, job, now) || parkStopped(core, job, now)) {
        stillCandidates.push(session);
        continue;
      }
      grants.push(grant(core, session, job, now));
      bytes += job.jobBytes;
      if (hasRoom(session)) stillCandidates.push(session);
    }
    candidates = stillCandidates;
  }
  send(core, grants, now);
  // In a pass that was cut short for reads that failed, what is read next brings the following one.
  return count < jobsPerStepMax && bytes < stepBytesMax;
}

function sessionHasRoom({ unsent }: Core, session: Session): boolean {
  const { connection, leases, credit, leasedBytes, mayFind } = session;
  if (!mayFind || connection === null || leases.size >= credit || leasedBytes >= leasedBytesMax)
    return false;
  return unsent.takesJobs(connection);
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
  // At once, so that the next one is found; logged with all that the session gets.
  const given = { delivery: job.deliveries + 1, isolated: job.crashes > 0 };
  const at = { epoch: core.state.epoch, atMs: now.wallMs };
  core.state.jobs.deliver(job, given, session.id, at);
  const lease = core.leases.add(session, job);
  // Counted from now on: a peer that has much on its way gets no more.
  if (session.connection !== null) core.unsent.add(session.connection, bytesInFrame(lease));
  const item = {
    token: tokenOf(job),
    attempt: job.attempts + 1,
    crashes: job.crashes,
    isolated: job.isolated,
    leaseMs: core.options.leaseMs,
  };
  return { item, base: job.base, lease };
}

/** Logs all that was granted as one record, in its order, and sends each session its own. */
function send(core: Core, grants: readonly Grant[], now: Now): void {
  if (grants.length === 0) return;
  const bySession = Map.groupBy(grants, ({ lease }) => lease.session);
  const sessions = [...bySession.keys()];
  core.commitApplied({
    kind: 'delivered',
    epoch: core.state.epoch,
    atMs: now.wallMs,
    sessions: sessions.map(({ id }) => id),
    jobs: grants.map(({ item: { token, isolated }, lease }) => ({
      id: token.id,
      delivery: token.delivery,
      isolated,
      session: sessions.indexOf(lease.session),
    })),
  });
  for (const [session, items] of bySession) {
    sendDeliveries(core, session, items);
    core.rotate(session);
  }
}

function bytesInFrame({ bytes }: Lease): number {
  return bytes + itemOverheadBytes;
}

/** Sends deliveries in frames that the client takes, small ones: one should not occupy a slow link for long. */
function sendDeliveries(core: Core, session: Session, items: Grant[]): void {
  const bytesMax = Math.min(session.frameBytesMax, limits.batchBytesMax) - itemOverheadBytes;
  let frame: Grant[] = [];
  let frameBytes = 0;
  for (const item of items) {
    const bytes = bytesInFrame(item.lease);
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

function sendFrame(core: Core, session: Session, grants: readonly Grant[]): void {
  const { connection } = session;
  if (connection === null) return;
  const leases = grants.map(({ lease }) => lease);
  const bytes = leases.reduce((sum, lease) => sum + bytesInFrame(lease), 0);
  const frame = core.nextFrame++;
  session.frames.set(frame, { bytes, leases });
  core.effects.readFor(connection, {
    offsets: grants.map(({ base }) => base),
    use: (records) => {
      const { items, unreadable } = deliveriesOf(grants, records);
      const fetched: Fetched[] = [];
      if (items.length > 0) {
        const message = outgoing(connection, 0, 'Deliver', { items });
        fetched.push({ type: 'send', outgoing: { ...message, bytes } });
      } else fetched.push({ type: 'event', event: { type: 'frameNotMade', connection, frame } });
      if (core.readPause.isOn && items.length > 0) {
        fetched.push({ type: 'event', event: { type: 'readAgain' } });
      }
      if (unreadable.length > 0) {
        fetched.push({ type: 'event', event: { type: 'unreadable', tokens: unreadable } });
      }
      return fetched;
    },
    unread: ({ message: reason }) => {
      const tokens = grants.map(({ item }) => item.token);
      return [
        { type: 'event', event: { type: 'unread', tokens, reason } },
        { type: 'event', event: { type: 'frameNotMade', connection, frame } },
      ];
    },
  });
}

function deliveriesOf(
  grants: readonly Grant[],
  records: readonly (Uint8Array | null)[],
): { items: Delivery[]; unreadable: LeaseToken[] } {
  const items: Delivery[] = [];
  const unreadable: LeaseToken[] = [];
  const reader = new JobRecordReader();
  for (const [index, { item, base, lease }] of grants.entries()) {
    // It may have been cancelled while its bytes were read.
    if (lease.ended) continue;
    const record = records[index] ?? null;
    if (record === null) {
      unreadable.push(item.token);
      continue;
    }
    const { encoded: job, enqueuedAtMs } = reader.find(record, { base, seq: lease.seq });
    items.push({ ...item, enqueuedAtMs, job });
  }
  return { items, unreadable };
}

/** Deliver frames have left: the time of their leases runs, but not before a slow peer can have them. */
export function framesLeft(
  core: Core,
  { connection, deliveries, slowestMs }: Left,
  now: Now,
): void {
  const session = core.connections.get(connection);
  if (session === undefined) return;
  const left = [...session.frames.keys()].slice(0, deliveries);
  // What left may wait in the buffers of the system, which hold a few slices.
  const lagMs = buffersInSlices * slowestMs;
  for (const frame of left) beginLeases(core, session, frame, now.monotonicMs + lagMs);
}

/** A frame was not made after all. */
export function frameNotMade(
  core: Core,
  { connection, frame }: { connection: ConnectionId; frame: number },
  now: Now,
): void {
  const session = core.connections.get(connection);
  const bytes = session?.frames.get(frame)?.bytes;
  if (session === undefined || bytes === undefined) return;
  core.unsent.remove(connection, bytes);
  beginLeases(core, session, frame, now.monotonicMs);
}

/** The connection closed: frames on their way may have arrived, so their leases begin. */
export function allFramesLeft(core: Core, session: Session, nowMs: number): void {
  for (const frame of session.frames.keys()) beginLeases(core, session, frame, nowMs);
}

function beginLeases(core: Core, session: Session, frame: number, nowMs: number): void {
  for (const lease of session.frames.get(frame)?.leases ?? []) core.leases.begin(lease, nowMs);
  session.frames.delete(frame);
}
