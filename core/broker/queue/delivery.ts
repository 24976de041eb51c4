/**
 * Matching ready jobs to sessions that have room. Each session in turn gets one job, from each of
 * its queues in turn, so that neither a large queue nor a large consumer starves the others.
 */

import type { Delivery } from '../../protocol/index.ts';
import type { Now } from '../events.ts';
import { type Core, jobsPerEventMax, leasedBytesMax, type Session } from './core.ts';
import { type JobEntry, tokenOf } from './job-entry.ts';

/** Room that a Deliver frame needs beside the jobs, for each job. */
const itemOverheadBytes = 64;

/** Hands out ready jobs. Returns false when the bound was reached and more could be handed out. */
export function deliverReady(core: Core, now: Now): boolean {
  if (core.store.readyCount === 0) return true;
  const granted = new Map<Session, Delivery[]>();
  let hungry = [...core.sessions.values()].filter(hasRoom);
  let count = 0;
  while (hungry.length > 0 && count < jobsPerEventMax) {
    const stillHungry: Session[] = [];
    for (const session of hungry) {
      const job = count < jobsPerEventMax ? nextJobFor(core, session) : undefined;
      if (job === undefined) continue;
      count++;
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
  return count < jobsPerEventMax;
}

function hasRoom(session: Session): boolean {
  const { connection, leases, credit, leasedBytes } = session;
  return connection !== null && leases.size < credit && leasedBytes < leasedBytesMax;
}

function nextJobFor(core: Core, session: Session): JobEntry | undefined {
  const { queues } = session;
  for (let offset = 0; offset < queues.length; offset++) {
    const index = (session.turn + offset) % queues.length;
    const queue = core.store.queues.get(queues[index] ?? '');
    const job = queue?.paused === true ? undefined : queue?.ready.peek();
    if (job !== undefined) {
      session.turn = (index + 1) % queues.length;
      return job;
    }
  }
  return undefined;
}

function grant(core: Core, session: Session, job: JobEntry, now: Now): Delivery {
  core.commit({
    kind: 'delivered',
    id: job.id,
    epoch: core.store.epoch,
    delivery: job.deliveries + 1,
    session: session.id,
    isolated: job.crashes > 0,
    atMs: now.wallMs,
  });
  core.addLease(session, job, now);
  if (job.bytes === null) throw new Error(`job ${job.id} was ready without its bytes`);
  return {
    token: tokenOf(job),
    attempt: job.attempts + 1,
    crashes: job.crashes,
    isolated: job.isolated,
    leaseMs: core.options.leaseMs,
    enqueuedAtMs: job.enqueuedAtMs,
    job: job.bytes,
  };
}

/** Sends deliveries in frames that the client takes. */
function sendDeliveries(core: Core, session: Session, items: Delivery[]): void {
  if (session.connection === null) return;
  let frame: Delivery[] = [];
  let frameBytes = 0;
  for (const item of items) {
    const bytes = item.job.length + itemOverheadBytes;
    if (frame.length > 0 && frameBytes + bytes > session.frameBytesMax - itemOverheadBytes) {
      core.send(session.connection, 0, 'Deliver', { items: frame });
      frame = [];
      frameBytes = 0;
    }
    frame.push(item);
    frameBytes += bytes;
  }
  core.send(session.connection, 0, 'Deliver', { items: frame });
}
