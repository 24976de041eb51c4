/**
 * What connections are to be told of jobs: those that watch, of every change; those that wait, of
 * the end. It is told in pieces, one at a time for each connection, and only when its peer has read
 * what came before. Who watches and does not keep up hears of each job as it is by then.
 */

import { errorCodes, type JobInfo } from '../../protocol/index.ts';
import type { ConnectionId, Outgoing } from '../events.ts';
import { BehindWatchers } from './behind-watchers.ts';
import type { Core } from './core.ts';
import { type Fetched, outgoing } from './effects.ts';
import { fetchInfos, inFrames, type JobPicture, pictureOf } from './job-details.ts';
import type { JobEntry } from './job-entry.ts';
import { answerUnread } from './unread.ts';
import type { Waiter } from './wait-list.ts';

/** Jobs that one connection is told of in one piece. */
const pieceMax = 100;
/** Jobs that all are told of in one go. */
const goMax = 400;
/** Changes that are kept as they were; of more only the jobs are kept. */
const picturesMax = 1_000;

/** The picture with the place of the job now: since it was taken, compaction may have said the job again. */
function placedNow({ state }: Core, picture: JobPicture): JobPicture {
  const job = state.jobs.bySeq(picture.seq);
  if (job === undefined) return { ...picture, base: 0, last: 0 };
  return job.base === picture.base ? picture : { ...picture, base: job.base, last: job.last };
}

interface Telling {
  /** Who waited for a job that is over. */
  readonly ends: { readonly picture: JobPicture; readonly correlationId: number }[];
  /** Changes for a watcher, oldest first. */
  pictures: JobPicture[];
  /** A piece is being made. */
  isMaking: boolean;
}

export class Tellings {
  /** The queues that each watches; an empty set means all. */
  readonly #queues: Map<ConnectionId, ReadonlySet<string>> = new Map();
  readonly #tellings: Map<ConnectionId, Telling> = new Map();
  readonly #behind = new BehindWatchers();
  /** Connections with something to be told and nothing in the making, in the order of their turns. */
  readonly #due: Set<ConnectionId> = new Set();
  #endCount = 0;

  get watcherCount(): number {
    return this.#queues.size;
  }

  /** Waits whose end is to be told. */
  get endCount(): number {
    return this.#endCount;
  }

  /** The same of one connection. */
  endCountOf(connection: ConnectionId): number {
    return this.#tellings.get(connection)?.ends.length ?? 0;
  }

  watch(connection: ConnectionId, queues: readonly string[]): void {
    this.#queues.set(connection, new Set(queues));
  }

  forget(connection: ConnectionId): void {
    this.#endCount -= this.endCountOf(connection);
    this.#queues.delete(connection);
    this.#tellings.delete(connection);
    this.#behind.forget(connection);
    this.#due.delete(connection);
  }

  /** The job that these waited for is over. */
  addEnds(waiters: readonly Waiter[], pictureOfJob: () => JobPicture): void {
    if (waiters.length === 0) return;
    const picture = pictureOfJob();
    for (const { connection, correlationId } of waiters) {
      this.#of(connection).ends.push({ picture, correlationId });
    }
    this.#endCount += waiters.length;
  }

  /** A job changed: whoever watches its queue hears of it as it is now. */
  note(core: Core, job: JobEntry): void {
    if (this.#queues.size === 0) return;
    const { name } = core.state.jobs.queueOf(job);
    const picture = pictureOf(core.state.jobs, job);
    for (const [connection, queues] of this.#queues) {
      if (queues.size === 0 || queues.has(name)) this.#addChange(core, connection, picture);
    }
  }

  #addChange(core: Core, connection: ConnectionId, picture: JobPicture): void {
    const telling = this.#of(connection);
    const keepsUp = this.#behind.countOf(connection) === 0;
    if (keepsUp && telling.pictures.length < picturesMax) telling.pictures.push(picture);
    else if (!this.#behind.add(connection, picture.seq)) this.#give(core, connection);
  }

  /** The watcher is too far behind: it hears that it missed something by the end of its connection. */
  #give(core: Core, connection: ConnectionId): void {
    this.forget(connection);
    const message = 'the watcher reads too slowly: too many changes wait for it';
    const fields = { code: errorCodes.TOO_SLOW.number, message };
    const last = { ...outgoing(connection, 0, 'Error', fields), thenClose: true };
    core.emit({ type: 'send', outgoing: last });
  }

  /** A piece was made and counts as on its way. */
  told(connection: ConnectionId): void {
    const telling = this.#tellings.get(connection);
    if (telling === undefined) return;
    telling.isMaking = false;
    this.#due.add(connection);
  }

  /** Begins with what may be told now. Returns false when more could be told at once. */
  flush(core: Core): boolean {
    let left = goMax;
    for (const connection of this.#due) {
      if (!core.unsent.takesLarge(connection)) continue;
      if (left <= 0) return false;
      this.#due.delete(connection);
      left -= this.#tell(core, connection);
    }
    return true;
  }

  /** Tells one piece and returns how many jobs it is about. */
  #tell(core: Core, connection: ConnectionId): number {
    const telling = this.#of(connection);
    const ends = telling.ends.splice(0, pieceMax);
    this.#endCount -= ends.length;
    const pictures =
      ends.length > 0 ? ends.map((end) => end.picture) : this.#next(core, connection);
    if (pictures.length === 0) {
      this.#due.delete(connection);
      return 0;
    }
    telling.isMaking = true;
    this.#due.delete(connection);
    const messages = (infos: readonly JobInfo[]): Outgoing[] =>
      ends.length > 0
        ? infos.map((job, index) =>
            outgoing(connection, ends[index]?.correlationId ?? 0, 'WaitOk', { job }),
          )
        : [...inFrames(infos)].map((jobs) => outgoing(connection, 0, 'JobEvents', { jobs }));
    const told: Fetched = { type: 'event', event: { type: 'told', connection } };
    const fetch = fetchInfos(
      pictures.map((picture) => placedNow(core, picture)),
      (infos): Fetched[] => [
        ...messages(infos).map((message) => ({ type: 'send' as const, outgoing: message })),
        told,
      ],
    );
    const unread = (error: Error): Fetched[] => [
      ...ends.flatMap(({ correlationId }) => answerUnread(connection, correlationId)(error)),
      told,
    ];
    core.readFor(connection, ends.length > 0 ? { ...fetch, unread } : fetch);
    return pictures.length;
  }

  /** The next changes for a watcher: as they were, then jobs as they are by now. */
  #next(core: Core, connection: ConnectionId): JobPicture[] {
    const pictures = this.#of(connection).pictures.splice(0, pieceMax);
    if (pictures.length > 0) return pictures;
    const jobs = this.#behind.take(connection, pieceMax).map((seq) => core.state.jobs.bySeq(seq));
    return jobs.filter((job) => job !== undefined).map((job) => pictureOf(core.state.jobs, job));
  }

  #of(connection: ConnectionId): Telling {
    let telling = this.#tellings.get(connection);
    if (telling === undefined) {
      telling = { ends: [], pictures: [], isMaking: false };
      this.#tellings.set(connection, telling);
    }
    if (!telling.isMaking) this.#due.add(connection);
    return telling;
  }
}
