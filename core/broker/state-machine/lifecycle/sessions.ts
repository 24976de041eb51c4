/**
 * Sessions: a consumer across its connections. A lost connection opens a resume window; Goodbye
 * ends the session at once; a session that does not come back loses its leases.
 */

import { errorCodes, limits } from '../../../protocol/index.ts';
import type { ConnectionId, NetEvent, Now, Transport } from '../../events.ts';
import type { Core } from '../context/core.ts';
import type { Session } from '../context/session.ts';
import { allFramesLeft } from './delivery.ts';
import { type EndCause, endLease } from './lease-end.ts';

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

function endLeases(core: Core, session: Session, now: Now, cause: EndCause): void {
  for (const { job } of session.leases.values()) endLease(core, job, now, cause);
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
