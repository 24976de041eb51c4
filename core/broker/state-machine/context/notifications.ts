/**
 * Notifications about jobs: of every change to connections that watch, of the end to those that wait.
 * They are sent in pieces, one at a time for each connection, and only when its peer has read the one
 * before. A watcher that does not keep up gets each job as it is by then.
 */

import { errorCodes, type JobInfo } from '../../../protocol/index.ts';
import type { ConnectionId, Outgoing } from '../../events.ts';
import type { JobEntry } from '../state/job-entry.ts';
import type { JobStore } from '../state/job-store.ts';
import type { EffectList } from './effect-list.ts';
import { answerUnreadable, type Fetched, outgoing } from './effects.ts';
import { fetchInfos, inFrames, type JobView, viewOf } from './job-view.ts';
import type { SendQuota } from './send-quota.ts';
import { Watchers } from './watchers.ts';

/**
 * Jobs in one message to a watcher. Few: their notes may be long, and a watcher that does not read should
 * cost no more than one message.
 */
const jobsPerMessage = 16;
/** Waits that are answered in one piece. */
const waitsPerGo = 100;
/** Jobs that all connections are notified of in one go. */
const goMax = 400;
/** Messages in the making at one time: more would only fill memory, and keep small answers waiting. */
const makingMax = 2;

/** The view with the offsets of the job now: since it was made, compaction may have rewritten the job. */
function withOffsetsNow(jobs: JobStore, view: JobView): JobView {
  const job = jobs.bySeq(view.seq);
  if (job === undefined) return { ...view, base: 0, last: 0, noted: 0 };
  if (job.base === view.base) return view;
  const { base, last, noted } = viewOf(jobs, job);
  return { ...view, base, last, noted };
}

function viewNow(jobs: JobStore, seq: number): JobView | null {
  const job = jobs.bySeq(seq);
  return job === undefined ? null : viewOf(jobs, job);
}

/** The waits of a connection for a job that finished. */
interface End {
  readonly view: JobView;
  readonly correlationIds: readonly number[];
  /** How many of them are answered. */
  answered: number;
}

interface PendingNotifications {
  readonly ends: End[];
  endCount: number;
  /** A piece is being made. */
  isMaking: boolean;
}

interface EndOfWait {
  readonly view: JobView;
  readonly correlationId: number;
}

export class Notifications {
  readonly #jobs: JobStore;
  readonly #effects: EffectList;
  readonly #unsent: SendQuota;
  readonly #watchers = new Watchers();
  readonly #notifications: Map<ConnectionId, PendingNotifications> = new Map();
  /** Connections with pending notifications and no piece in the making, in the order of their turns. */
  readonly #due: Set<ConnectionId> = new Set();
  /** There are changes since the last `flush`. */
  #hasChanges = false;
  #makingCount = 0;
  #endCount = 0;

  constructor(jobs: JobStore, effects: EffectList, unsent: SendQuota) {
    this.#jobs = jobs;
    this.#effects = effects;
    this.#unsent = unsent;
  }

  get watcherCount(): number {
    return this.#watchers.count;
  }

  /** Waits that are to be answered. */
  get endCount(): number {
    return this.#endCount;
  }

  /** The same of one connection. */
  endCountOf(connection: ConnectionId): number {
    return this.#notifications.get(connection)?.endCount ?? 0;
  }

  watch(connection: ConnectionId, queues: readonly string[]): void {
    this.#watchers.watch(connection, queues);
  }

  forget(connection: ConnectionId): void {
    this.#endCount -= this.endCountOf(connection);
    this.#setMaking(this.#notifications.get(connection), false);
    this.#watchers.forget(connection);
    this.#notifications.delete(connection);
    this.#due.delete(connection);
  }

  /** The job for which these of each connection waited has finished. */
  addEnds(waiters: ReadonlyMap<ConnectionId, readonly number[]>, viewOfJob: () => JobView): void {
    if (waiters.size === 0) return;
    const view = viewOfJob();
    for (const [connection, correlationIds] of waiters) {
      const pending = this.#of(connection);
      pending.ends.push({ view, correlationIds, answered: 0 });
      pending.endCount += correlationIds.length;
      this.#endCount += correlationIds.length;
    }
  }

  /** Records that a job changed, as it is now, for those who watch its queue. */
  recordChange(job: JobEntry): void {
    const { name } = this.#jobs.queueOf(job);
    if (this.#watchers.record(name, () => viewOf(this.#jobs, job))) this.#hasChanges = true;
  }

  /** Disconnects a watcher that is too far behind: so it learns that it missed changes. */
  #disconnect(connection: ConnectionId): void {
    this.forget(connection);
    const message = 'the watcher reads too slowly: too many changes wait for it';
    const fields = { code: errorCodes.TOO_SLOW.number, message };
    const last = { ...outgoing(connection, 0, 'Error', fields), thenClose: true };
    this.#effects.add({ type: 'send', outgoing: last });
  }

  /** A piece was made and counts as on its way. */
  made(connection: ConnectionId): void {
    const pending = this.#notifications.get(connection);
    if (pending === undefined) return;
    this.#setMaking(pending, false);
    this.#due.add(connection);
  }

  /** Begins to make what may be sent now. Returns false when more could be made at once. */
  flush(): boolean {
    if (this.#hasChanges) for (const connection of this.#watchers.connections) this.#of(connection);
    this.#hasChanges = false;
    let left = goMax;
    for (const connection of this.#due) {
      if (this.#makingCount >= makingMax) return true;
      if (!this.#unsent.takesLarge(connection)) continue;
      if (left <= 0) return false;
      this.#due.delete(connection);
      left -= this.#makePiece(connection);
    }
    return true;
  }

  /** Begins one piece and returns its cost, counted in jobs. */
  #makePiece(connection: ConnectionId): number {
    if (this.#watchers.isTooFarBehind(connection)) {
      this.#disconnect(connection);
      return 1;
    }
    const pending = this.#of(connection);
    const ends = this.#takeEnds(pending);
    const { views, work } =
      ends.length > 0
        ? // A job for which many wait is read once.
          { views: [...new Set(ends.map((end) => end.view))], work: ends.length }
        : this.#watchers.take(connection, jobsPerMessage, (seq) => viewNow(this.#jobs, seq));
    if (views.length === 0) {
      if (!this.#watchers.hasMore(connection)) this.#due.delete(connection);
      return work;
    }
    this.#setMaking(pending, true);
    this.#due.delete(connection);
    const messages = (infos: readonly JobInfo[]): Outgoing[] =>
      ends.length > 0
        ? infos.flatMap((job, index) =>
            ends
              .filter(({ view }) => view === views[index])
              .map(({ correlationId }) => outgoing(connection, correlationId, 'WaitOk', { job })),
          )
        : [...inFrames(infos)].map((jobs) => outgoing(connection, 0, 'JobEvents', { jobs }));
    const made: Fetched = { type: 'event', event: { type: 'notificationMade', connection } };
    const fetch = fetchInfos(
      views.map((view) => withOffsetsNow(this.#jobs, view)),
      (infos): Fetched[] => [
        ...messages(infos).map((message) => ({ type: 'send' as const, outgoing: message })),
        made,
      ],
    );
    const unread = (error: Error): Fetched[] => [
      ...ends.flatMap(({ correlationId }) => answerUnreadable(connection, correlationId)(error)),
      made,
    ];
    this.#effects.readFor(connection, ends.length > 0 ? { ...fetch, unread } : fetch);
    return work;
  }

  /** Takes as many ends of waits as one piece answers. */
  #takeEnds(pending: PendingNotifications): EndOfWait[] {
    const taken: EndOfWait[] = [];
    for (let end = pending.ends[0]; end !== undefined; end = pending.ends[0]) {
      const { view, correlationIds, answered } = end;
      const ids = correlationIds.slice(answered, answered + waitsPerGo - taken.length);
      taken.push(...ids.map((correlationId) => ({ view, correlationId })));
      end.answered += ids.length;
      if (end.answered < correlationIds.length) break;
      pending.ends.shift();
    }
    pending.endCount -= taken.length;
    this.#endCount -= taken.length;
    return taken;
  }

  #setMaking(pending: PendingNotifications | undefined, isMaking: boolean): void {
    if (pending === undefined || pending.isMaking === isMaking) return;
    pending.isMaking = isMaking;
    this.#makingCount += isMaking ? 1 : -1;
  }

  #of(connection: ConnectionId): PendingNotifications {
    let pending = this.#notifications.get(connection);
    if (pending === undefined) {
      pending = { ends: [], endCount: 0, isMaking: false };
      this.#notifications.set(connection, pending);
    }
    if (!pending.isMaking) this.#due.add(connection);
    return pending;
  }
}
