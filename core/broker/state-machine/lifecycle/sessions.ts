/**
 * Sessions: a consumer across its connections. A lost connection opens a resume window; Goodbye
 * ends the session at once; a session that does not come back loses its leases.
 */

import { errorCodes, type LeaseToken, limits, noUsage } from '../../../protocol/index.ts';
import type { ConnectionId, NetEvent, Now, Transport } from '../../events.ts';
import type { Core } from '../context/core.ts';
import type { CoreEvent } from '../context/effects.ts';
import { damagedInARowMax } from '../context/read-pause.ts';
import type { Session } from '../context/session.ts';
import { isNewest, type JobEntry } from '../state/job-entry.ts';
import { allFramesLeft } from './delivery.ts';
import { decideLeaseEnd, type LeaseEnding } from './lease-end.ts';

type Opened = Extract<NetEvent, { type: 'opened' }>;

/** A client said Hello: a new session, or one that comes back. */
export function openSession(core: Core, event: Opened, now: Now): void {
  const known = core.sessions.get(event.hello.session);
  const session = known ?? newSession(event.hello.session, event.transport);
  core.unsent.open(event.connection);
  if (session.connection !== null) takeOver(core, session, event);
  allFramesLeft(core, session, now.monotonicMs);
  session.connection = event.connection;
  session.transport = event.transport;
  session.client = event.hello.client;
  session.frameBytesMax = Math.min(event.hello.frameBytesMax, limits.frameBytesMax);
  // Until it subscribes anew it gets nothing: a delivery before Resume would be given back by it.
  core.subscriptions.set(session, [], 0);
  core.sessions.set(session.id, session);
  core.connections.set(event.connection, session);
  core.effects.send(event.connection, event.correlationId, 'HelloOk', {
    broker: core.options.brokerId,
    epoch: core.state.epoch,
    software: core.options.software,
    features: 0,
    frameBytesMax: limits.frameBytesMax,
    jobBytesMax: limits.jobBytesMax,
    batchItemsMax: limits.batchItemsMax,
    leaseMs: core.options.leaseMs,
    resumeMs: core.options.resumeMs[event.transport],
    sessionKnown: known !== undefined,
  });
}

function newSession(id: string, transport: Transport): Session {
  return {
    id,
    connection: null,
    transport,
    client: '',
    frameBytesMax: limits.frameBytesMax,
    queues: [],
    credit: 0,
    leases: new Map(),
    leasedBytes: 0,
    resumeUntilMs: 0,
    turn: 0,
    mayFind: false,
    frames: new Map(),
    named: { queues: 0 },
  };
}

function takeOver(core: Core, session: Session, { hello, transport }: Opened): void {
  const { connection, client } = session;
  if (connection === null) return;
  const kind = 'sessions taken over';
  const text = `the session of client ${JSON.stringify(client)} over ${session.transport} was taken over by client ${JSON.stringify(hello.client)} over ${transport}`;
  core.effects.add({ type: 'notice', kind, text });
  core.sendAndClose(connection, 0, 'Error', {
    code: errorCodes.SESSION_IN_USE.number,
    message: 'another connection took this session over',
  });
}

/** The connection closed. Its session is kept for the resume window when it holds leases. */
export function connectionClosed(core: Core, connection: ConnectionId, now: Now): void {
  core.unsent.forget(connection);
  core.waiting.forget(connection);
  core.notifications.forget(connection);
  const session = core.connections.get(connection);
  core.connections.delete(connection);
  if (session === undefined || session.connection !== connection) return;
  session.connection = null;
  allFramesLeft(core, session, now.monotonicMs);
  awaitResume(core, session, now.monotonicMs + core.options.resumeMs[session.transport]);
}

function awaitResume(core: Core, session: Session, untilMs: number): void {
  if (session.leases.size === 0) {
    core.forgetSession(session);
    return;
  }
  session.resumeUntilMs = untilMs;
  core.resumeDeadlines.push(untilMs, session);
}

/** Ends the session at once and hands its leases back, uncharged. */
export function endSession(core: Core, session: Session, now: Now): void {
  endLeases(core, session, now, {
    end: 'returned',
    errorCode: 'handed_back',
    errorMessage: 'the consumer said goodbye',
  });
  core.forgetSession(session);
}

/** Sessions whose resume window is over lose their leases, so many in one step. */
export function expireSessions(core: Core, now: Now, jobsMax: number): void {
  for (let count = 0; count < jobsMax; ) {
    const session = core.resumeDeadlines.popDue(now.monotonicMs);
    if (session === undefined) return;
    const isLost = session.connection === null && session.resumeUntilMs <= now.monotonicMs;
    if (isLost && core.sessions.get(session.id) === session) {
      const left = jobsMax - count;
      count += Math.max(1, session.leases.size);
      const jobs = [...session.leases.values()].slice(0, left).map((lease) => lease.job);
      for (const job of jobs) {
        endLease(core, job, now, {
          end: 'lost',
          errorCode: 'consumer_lost',
          errorMessage: 'the consumer vanished and did not come back in time',
        });
      }
      if (session.leases.size === 0) core.forgetSession(session);
      else core.resumeDeadlines.push(session.resumeUntilMs, session);
    }
  }
}

/** Ends leases that were not renewed. */
export function expireLeases(core: Core, now: Now, jobsMax: number): void {
  for (let count = 0; count < jobsMax; ) {
    const lease = core.leases.deadlines.popDue(now.monotonicMs);
    if (lease === undefined) return;
    if (lease.ended) continue;
    if (lease.deadlineMs > now.monotonicMs) {
      core.leases.deadlines.push(lease.deadlineMs, lease);
      continue;
    }
    count++;
    const { leaseMs, leaseAgeMsMax } = core.options;
    const errorMessage =
      lease.deadlineMs === lease.endsAtMs
        ? `the lease was held for ${leaseAgeMsMax} ms, the longest that one may be`
        : `the lease ran out after ${leaseMs} ms without renewal`;
    endLease(core, lease.job, now, { end: 'lost', errorCode: 'lease_expired', errorMessage });
  }
}

type EndCause = Pick<LeaseEnding, 'end' | 'errorCode' | 'errorMessage'> &
  Partial<Pick<LeaseEnding, 'uncounted'>>;

function endLeases(core: Core, session: Session, now: Now, cause: EndCause): void {
  for (const { job } of session.leases.values()) endLease(core, job, now, cause);
}

type ReadEvent = Extract<CoreEvent, { type: 'unreadable' | 'unread' | 'readAgain' }>;

export function isOfReading(event: CoreEvent): event is ReadEvent {
  const { type } = event;
  return type === 'unreadable' || type === 'unread' || type === 'readAgain';
}

/** Handles the outcome of reading jobs that were just delivered. */
export function afterReading(core: Core, event: ReadEvent, now: Now): void {
  if (event.type === 'unreadable') endDamaged(core, event.tokens, now);
  else if (event.type === 'unread') {
    core.readPause.failed(now.monotonicMs);
    handBack(core, event, now);
  } else core.readPause.succeeded();
}

/**
 * Jobs that were just handed out and whose bytes the log no longer holds undamaged: they are dead. Of
 * many at once the first few are; the others come up again after a pause.
 */
function endDamaged(core: Core, tokens: readonly LeaseToken[], now: Now): void {
  core.readPause.foundDamage(now.monotonicMs);
  const rest = tokens.slice(damagedInARowMax);
  handBack(core, { tokens: rest, reason: 'jobs beside it are damaged' }, now);
  for (const job of stillHeld(core, tokens.slice(0, damagedInARowMax))) {
    endLease(core, job, now, {
      end: 'damaged',
      errorCode: 'damaged',
      errorMessage:
        'its bytes in the log are damaged: run  aiq broker verify  and restore from a backup',
    });
  }
}

interface Unread {
  readonly tokens: readonly LeaseToken[];
  readonly reason: string;
}

/** Not counted: the broker never sent the job, and the error is no evidence about it. */
function handBack(core: Core, { tokens, reason }: Unread, now: Now): void {
  for (const job of stillHeld(core, tokens)) {
    endLease(core, job, now, {
      end: 'returned',
      errorCode: 'read_failed',
      errorMessage: `it was not sent, because it could not be read: ${reason}`,
      uncounted: true,
    });
  }
}

/** The jobs of these leases, but for those whose lease ended while they were read: another may have it. */
function* stillHeld({ state }: Core, tokens: readonly LeaseToken[]): Generator<JobEntry> {
  for (const token of tokens) {
    const job = state.jobs.get(token.id);
    if (job?.state === 'leased' && isNewest(job, token)) yield job;
  }
}

/** Ends one lease for a reason that the consumer did not give. */
export function endLease(core: Core, job: JobEntry, now: Now, cause: EndCause): void {
  core.leases.drop(job);
  const ending: LeaseEnding = {
    ...cause,
    delayMs: 0,
    note: '',
    usage: noUsage,
    park: null,
    result: null,
    enqueue: [],
  };
  core.commit(decideLeaseEnd(core, job, ending, now));
}

/** After replay: every lease that the log knows gets one full lease time to be resumed in. */
export function restoreSessions(core: Core, now: Now): void {
  const { jobs } = core.state;
  for (const [slot, id] of jobs.extras.session) {
    const job = jobs.at(slot);
    if (job === undefined) continue;
    const session = core.sessions.get(id) ?? newSession(id, 'unix');
    core.sessions.set(id, session);
    core.leases.begin(core.leases.add(session, job), now.monotonicMs);
  }
  for (const session of core.sessions.values()) {
    awaitResume(core, session, now.monotonicMs + core.options.leaseMs);
  }
}
