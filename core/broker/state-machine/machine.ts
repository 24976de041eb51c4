/**
 * The broker's state machine: `(state, event, now) -> effects`. It knows neither sockets nor files nor
 * clocks, so that live traffic, replay, tests and simulation run the very same code.
 */

import { expiryClockMs, type Now } from '../events.ts';
import { Core, type CoreOptions, jobsPerStepMax } from './context/core.ts';
import { type ClientEvent, type CoreEvent, type Effect, isClientEvent } from './context/effects.ts';
import type { SendQuota } from './context/send-quota.ts';
import { blobsDueAtMs, dropCutUploads, expireBlobs } from './lifecycle/blob-expiry.ts';
import { loseCallsOfEndedLeases, tendBudgets } from './lifecycle/budgets.ts';
import {
  compact,
  isFullyRewritten,
  rewriteJob,
  rewriteRecord,
  SmallStateRewrite,
} from './lifecycle/compaction.ts';
import { type CompactionPlan, planOf, type SealedSegment } from './lifecycle/compaction-plan.ts';
import {
  expireWaiting,
  RetentionClock,
  sweepDeadlines,
  wakeDelayed,
} from './lifecycle/deadlines.ts';
import { deliverReady, frameNotMade, framesLeft } from './lifecycle/delivery.ts';
import { expireLeases } from './lifecycle/lease-end.ts';
import { afterReading, isOfReading } from './lifecycle/read-failure.ts';
import {
  connectionClosed,
  expireSessions,
  openSession,
  restoreSessions,
} from './lifecycle/sessions.ts';
import { decodeRecord } from './records/records.ts';
import { enqueue } from './requests/enqueue.ts';
import { handleRequest } from './requests/handlers.ts';
import { journalPutOfHolder } from './requests/journal-requests.ts';

/** How often retention is checked when nothing else happens. */
const idleRetentionMs = 60_000;

export class QueueMachine {
  readonly #core: Core;
  readonly #retention: RetentionClock = new RetentionClock();
  /** Records that compaction read to rewrite them. */
  #rewrittenCount = 0;
  /** The rewrite of the small state, once compaction began it. */
  #smallStateRewrite: SmallStateRewrite | null = null;
  /** True when a bound stopped the last pass and there is more to do at once. */
  #more = false;

  constructor(options: CoreOptions) {
    this.#core = new Core(options);
  }

  /** Before replay: records up to this offset may be about jobs that are no longer known. */
  beginReplay(compactedUpTo: number): void {
    this.#core.state.beginReplay(compactedUpTo);
  }

  /** Applies a record of the log, or its short form; only before `start`. */
  replay(record: Uint8Array, offset: number): void {
    this.#core.state.apply(decodeRecord(record), { offset, bytes: record.length });
  }

  /**
   * Begins a new epoch after replay and gives the leases of the log time to be resumed.
   * `endOffset` is that of the last record.
   */
  start(now: Now, endOffset: number): Effect[] {
    const core = this.#core;
    const { state } = core;
    core.offset = endOffset;
    wakeDelayed(core, now, Number.POSITIVE_INFINITY);
    state.afterReplay();
    restoreSessions(core, now);
    core.bulks.resume();
    core.commit({
      kind: 'epochStarted',
      epoch: state.epoch + 1,
      seqHighest: state.jobs.seqs.highest,
      atMs: now.wallMs,
    });
    dropCutUploads(core, state.blobs);
    loseCallsOfEndedLeases(core, now);
    return core.takeEffects();
  }

  /** Handles events, in order, then delivers what is ready. */
  handle(events: Iterable<CoreEvent>, now: Now): Effect[] {
    // First: jobs whose delay ended are ready before those that arrive only now.
    wakeDelayed(this.#core, now, jobsPerStepMax);
    for (const event of events) this.#handleOne(event, now);
    return this.tick(now);
  }

  /** Does what is due: delays, expiries, lost sessions, expired leases, bulk steps, deliveries. */
  tick(now: Now): Effect[] {
    const core = this.#core;
    expireSessions(core, now, jobsPerStepMax);
    expireLeases(core, now, jobsPerStepMax);
    wakeDelayed(core, now, jobsPerStepMax);
    expireWaiting(core, now, jobsPerStepMax);
    tendBudgets(core, now);
    const moreBulks = core.bulks.round(now);
    const moreToForget = this.#retention.tick(core, now);
    expireBlobs(core, core.blobs, now.monotonicMs, jobsPerStepMax);
    const moreToSweep = sweepDeadlines(core);
    const moreToDeliver = !deliverReady(core, now);
    const effects = core.takeEffects();
    this.#more = moreToDeliver || moreBulks || moreToForget || moreToSweep || core.moreToNotify;
    return effects;
  }

  /** Milliseconds until `tick` has something to do, or null when only an event can bring that. */
  nextDueMs(now: Now): number | null {
    if (this.#more) return 0;
    const { jobs, money } = this.#core.state;
    const dues = [
      msUntil(jobs.delayed.earliestMs, now.wallMs),
      msUntil(jobs.expiry.earliestMs, expiryClockMs(now)),
      msUntil(money.nextPeriodMs, now.wallMs),
      ...this.#deadlinesMs.map((atMs) => msUntil(atMs, now.monotonicMs)),
      jobs.size > 0 ? idleRetentionMs : null,
    ].filter((due) => due !== null);
    return dues.length === 0 ? null : Math.max(0, Math.min(...dues));
  }

  /** True when something is due on the monotonic clock, which must be read regularly then. */
  get hasDeadlines(): boolean {
    return this.#deadlinesMs.some((atMs) => atMs !== null);
  }

  /** All that is due on the monotonic clock. */
  get #deadlinesMs(): (number | null)[] {
    const { leases, resumeDeadlines, blobs, readPause, rates } = this.#core;
    return [
      leases.deadlines.earliestMs,
      resumeDeadlines.earliestMs,
      blobsDueAtMs(blobs),
      readPause.dueAtMs,
      rates.wakeAtMs,
    ];
  }

  /** The newest time of a record. */
  get newestMs(): number {
    return this.#core.state.newestMs;
  }

  /** Sessions that are connected or hold leases; a broker without any is idle. */
  get sessionCount(): number {
    return this.#core.sessions.size;
  }

  /** Deadlines of jobs and leases that are kept, until they are due or found to be outdated. */
  get deadlineCount(): number {
    const { leases, state } = this.#core;
    return leases.deadlines.length + state.jobs.delayed.length + state.jobs.expiry.length;
  }

  /** What is on its way to each connection. */
  get unsent(): SendQuota {
    return this.#core.unsent;
  }

  /** Jobs known, finished ones included. */
  get jobCount(): number {
    return this.#core.state.jobs.size;
  }

  /** Bytes of the log that are still needed: compaction frees the rest. */
  get logLiveBytes(): number {
    return this.#core.state.logBytes;
  }

  /** How many records compaction has read: when a portion adds none, none can be read. */
  get rewrittenCount(): number {
    return this.#rewrittenCount;
  }

  /** How far compaction should go, when no more than a share of what it frees is to be written. */
  compactionPlan(segments: readonly SealedSegment[], shareMax: number): CompactionPlan | null {
    return planOf(this.#core.state, segments, shareMax);
  }

  /** True when compaction has rewritten all of the small state. */
  get isSmallStateRewritten(): boolean {
    return this.#smallStateRewrite?.isDone ?? false;
  }

  /** True when nothing in the log up to the offset is needed any more but the small state. */
  isFullyRewritten(upTo: number): boolean {
    return isFullyRewritten(this.#core, upTo);
  }

  #handleOne(event: CoreEvent, now: Now): void {
    if (isClientEvent(event)) this.#handleClient(event, now);
    else this.#handleInternal(event, now);
  }

  /** Requests, and connections that open and close. */
  #handleClient(event: ClientEvent, now: Now): void {
    const core = this.#core;
    switch (event.type) {
      case 'opened':
        openSession(core, event, now);
        break;
      case 'closed':
        connectionClosed(core, event.connection, now);
        break;
      case 'enqueue':
        enqueue(core, event, now);
        break;
      case 'request': {
        // A connection whose session was taken over may still have sent requests.
        const session = core.connections.get(event.connection);
        if (session !== undefined) handleRequest(core, session, event, now);
      }
    }
  }

  /** Events of the broker itself. */
  #handleInternal(event: Exclude<CoreEvent, ClientEvent>, now: Now): void {
    const core = this.#core;
    if (isOfReading(event)) {
      afterReading(core, event, now);
      return;
    }
    switch (event.type) {
      case 'left':
      case 'notificationMade':
      case 'frameNotMade':
        this.#sent(event, now);
        break;
      case 'disk':
      case 'scarce':
        setDiskState(core, event);
        break;
      case 'heldEntry':
        journalPutOfHolder(core, event, now);
        break;
      case 'compact':
      case 'jobRead':
      case 'recordRead':
      case 'rewriteSmallState':
        this.#compact(event, now);
    }
  }

  /** Frames were sent, or were not made after all. */
  #sent(
    event: Extract<CoreEvent, { type: 'left' | 'notificationMade' | 'frameNotMade' }>,
    now: Now,
  ): void {
    const core = this.#core;
    if (event.type === 'notificationMade') core.notifications.made(event.connection);
    else if (event.type === 'frameNotMade') frameNotMade(core, event, now);
    else {
      core.unsent.left(event);
      framesLeft(core, event, now);
    }
  }

  #compact(
    event: Extract<CoreEvent, { type: 'compact' | 'jobRead' | 'recordRead' | 'rewriteSmallState' }>,
    now: Now,
  ): void {
    switch (event.type) {
      case 'compact':
        compact(this.#core, event);
        break;
      case 'jobRead':
        this.#rewrittenCount++;
        rewriteJob(this.#core, event);
        break;
      case 'recordRead':
        this.#rewrittenCount++;
        rewriteRecord(this.#core, this.#core.state, event);
        break;
      case 'rewriteSmallState':
        if (event.isFirst) this.#smallStateRewrite = new SmallStateRewrite(this.#core, now.wallMs);
        this.#smallStateRewrite?.continue();
        break;
    }
  }
}

function msUntil(atMs: number | null, nowMs: number): number | null {
  return atMs === null ? null : atMs - nowMs;
}

function setDiskState(core: Core, event: Extract<CoreEvent, { type: 'disk' | 'scarce' }>): void {
  if (event.type === 'scarce') core.diskScarce = event.isScarce;
  else {
    core.diskFull = event.full;
    core.fullReason = event.reason ?? 'the disk is full';
  }
}
