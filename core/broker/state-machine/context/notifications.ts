/**
 * What connections are to be told of jobs: those that watch, of every change; those that wait, of
 * the end. It is told in pieces, one at a time for each connection, and only when its peer has read
 * what came before. Who watches and does not keep up hears of each job as it is by then.
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
/** Waits that are answered in one go. */
const waitsPerGo = 100;
/** Jobs that all are told of in one go. */
const goMax = 400;
/** Messages in the making at one time: more would only fill memory, and keep small answers waiting. */
const makingMax = 2;

/** The picture with the place of the job now: since it was taken, compaction may have said the job again. */
function placedNow(jobs: JobStore, picture: JobView): JobView {
  const job = jobs.bySeq(picture.seq);
  if (job === undefined) return { ...picture, base: 0, last: 0 };
  return job.base === picture.base ? picture : { ...picture, base: job.base, last: job.last };
}

function viewNow(jobs: JobStore, seq: number): JobView | null {
  const job = jobs.bySeq(seq);
  return job === undefined ? null : viewOf(jobs, job);
}

/** Who of a connection waited for a job that is over. */
interface End {
  readonly picture: JobView;
  readonly correlationIds: readonly number[];
  /** How many of them are told. */
  told: number;
}

interface PendingNotifications {
  readonly ends: End[];
  endCount: number;
  /** A piece is being made. */
  isMaking: boolean;
}

interface EndOfWait {
  readonly picture: JobView;
  readonly correlationId: number;
}

export class Notifications {
  readonly #jobs: JobStore;
  readonly #effects: EffectList;
  readonly #unsent: SendQuota;
  readonly #watchers = new Watchers();
  readonly #notifications: Map<ConnectionId, PendingNotifications> = new Map();
  /** Connections with something to be told and nothing in the making, in the order of their turns. */
  readonly #due: Set<ConnectionId> = new Set();
  /** Something changed that watchers were not told of. */
  #hasNews = false;
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

  /** Waits whose end is to be told. */
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

  /** The job that these of each connection waited for is over. */
  addEnds(waiters: ReadonlyMap<ConnectionId, readonly number[]>, viewOfJob: () => JobView): void {
    if (waiters.size === 0) return;
    const picture = viewOfJob();
    for (const [connection, correlationIds] of waiters) {
      const telling = this.#of(connection);
      telling.ends.push({ picture, correlationIds, told: 0 });
      telling.endCount += correlationIds.length;
      this.#endCount += correlationIds.length;
    }
  }

  /** A job changed: whoever watches its queue hears of it as it is now. */
  recordChange(job: JobEntry): void {
    const { name } = this.#jobs.queueOf(job);
    if (this.#watchers.record(name, () => viewOf(this.#jobs, job))) this.#hasNews = true;
  }

  /** The watcher is too far behind: it hears that it missed something by the end of its connection. */
  #give(connection: ConnectionId): void {
    this.forget(connection);
    const message = 'the watcher reads too slowly: too many changes wait for it';
    const fields = { code: errorCodes.TOO_SLOW.number, message };
    const last = { ...outgoing(connection, 0, 'Error', fields), thenClose: true };
    this.#effects.add({ type: 'send', outgoing: last });
  }

  /** A piece was made and counts as on its way. */
  told(connection: ConnectionId): void {
    const telling = this.#notifications.get(connection);
    if (telling === undefined) return;
    this.#setMaking(telling, false);
    this.#due.add(connection);
  }

  /** Begins with what may be told now. Returns false when more could be told at once. */
  flush(): boolean {
    if (this.#hasNews) for (const connection of this.#watchers.connections) this.#of(connection);
    this.#hasNews = false;
    let left = goMax;
    for (const connection of this.#due) {
      if (this.#makingCount >= makingMax) return true;
      if (!this.#unsent.takesLarge(connection)) continue;
      if (left <= 0) return false;
      this.#due.delete(connection);
      left -= this.#tell(connection);
    }
    return true;
  }

  /** Tells one piece and returns how much work that is, counted in jobs. */
  #tell(connection: ConnectionId): number {
    if (this.#watchers.isTooFarBehind(connection)) {
      this.#give(connection);
      return 1;
    }
    const telling = this.#of(connection);
    const ends = this.#takeEnds(telling);
    const { pictures, work } =
      ends.length > 0
        ? // What many wait for is looked up once.
          { pictures: [...new Set(ends.map((end) => end.picture))], work: ends.length }
        : this.#watchers.take(connection, jobsPerMessage, (seq) => viewNow(this.#jobs, seq));
    if (pictures.length === 0) {
      if (!this.#watchers.hasMore(connection)) this.#due.delete(connection);
      return work;
    }
    this.#setMaking(telling, true);
    this.#due.delete(connection);
    const messages = (infos: readonly JobInfo[]): Outgoing[] =>
      ends.length > 0
        ? infos.flatMap((job, index) =>
            ends
              .filter(({ picture }) => picture === pictures[index])
              .map(({ correlationId }) => outgoing(connection, correlationId, 'WaitOk', { job })),
          )
        : [...inFrames(infos)].map((jobs) => outgoing(connection, 0, 'JobEvents', { jobs }));
    const told: Fetched = { type: 'event', event: { type: 'told', connection } };
    const fetch = fetchInfos(
      pictures.map((picture) => placedNow(this.#jobs, picture)),
      (infos): Fetched[] => [
        ...messages(infos).map((message) => ({ type: 'send' as const, outgoing: message })),
        told,
      ],
    );
    const unread = (error: Error): Fetched[] => [
      ...ends.flatMap(({ correlationId }) => answerUnreadable(connection, correlationId)(error)),
      told,
    ];
    this.#effects.readFor(connection, ends.length > 0 ? { ...fetch, unread } : fetch);
    return work;
  }

  /** Takes as many ends of waits as one piece tells. */
  #takeEnds(telling: PendingNotifications): EndOfWait[] {
    const taken: EndOfWait[] = [];
    for (let end = telling.ends[0]; end !== undefined; end = telling.ends[0]) {
      const { picture, correlationIds, told } = end;
      const ids = correlationIds.slice(told, told + waitsPerGo - taken.length);
      taken.push(...ids.map((correlationId) => ({ picture, correlationId })));
      end.told += ids.length;
      if (end.told < correlationIds.length) break;
      telling.ends.shift();
    }
    telling.endCount -= taken.length;
    this.#endCount -= taken.length;
    return taken;
  }

  #setMaking(telling: PendingNotifications | undefined, isMaking: boolean): void {
    if (telling === undefined || telling.isMaking === isMaking) return;
    telling.isMaking = isMaking;
    this.#makingCount += isMaking ? 1 : -1;
  }

  #of(connection: ConnectionId): PendingNotifications {
    let telling = this.#notifications.get(connection);
    if (telling === undefined) {
      telling = { ends: [], endCount: 0, isMaking: false };
      this.#notifications.set(connection, telling);
    }
    if (!telling.isMaking) this.#due.add(connection);
    return telling;
  }
}
