/**
 * Reads log records for the state machine: those of a fetch, and of the fetches that follow from it.
 * Reads per turn of the event loop are bounded and scheduled fairly between connections, so a long
 * response is made in pieces and one that needs few records does not wait for it.
 */

import { asError } from '../../base/index.ts';
import type { ConnectionId, Outgoing } from '../events.ts';
import { type Log, LogDamagedError, type Scheduler } from '../log/contract.ts';
import type { CoreEvent, Fetch, StatsFields } from '../state-machine/context/effects.ts';
import type { Problems } from './problems.ts';
import { RoundRobin } from './round-robin.ts';

/** Result of a fetch: messages for its slot in the outbox, and events for the state machine. */
export interface Answer {
  readonly messages: Outgoing[];
  readonly events: CoreEvent[];
}

type Record = Uint8Array | Error | null;

/** Damaged batches reported at most. */
const reportedDamageMax = 1000;

/** Records read in a turn: about a millisecond. */
const recordsPerTurn = 256;
/** Records read for one connection before others have their turn. */
const recordsPerVisit = 32;
/** Bytes that cost as much as one record. */
const recordBytes = 4 * 1024;

/** Reads that wait, of one connection, in order. */
interface ConnectionQueue {
  readonly waiting: { readonly records: number; readonly start: () => void }[];
}

/** A fetch and those that follow from it. */
interface Task {
  readonly queue: ConnectionQueue;
  readonly answer: Answer;
  /** Makes the result when a record cannot be read now. */
  readonly unread: Fetch['unread'];
}

export interface LogReadsOptions {
  readonly read: Log['read'];
  readonly scheduler: Pick<Scheduler, 'afterThisRound'>;
  readonly problems: Problems;
  readonly statsAnswer: (fields: StatsFields) => Outgoing;
  readonly onNotice: (text: string) => void;
}

export class LogReads {
  readonly #options: LogReadsOptions;
  readonly #running: Set<Promise<void>> = new Set();
  #recordsLeft = recordsPerTurn;
  #nextTurnIsDue = false;
  /** Of connections with reads in progress. */
  readonly #queues: Map<ConnectionId, ConnectionQueue> = new Map();
  /** Queues with waiting reads. */
  readonly #ready: RoundRobin<ConnectionQueue> = new RoundRobin();
  #failedCount = 0;
  readonly #reportedDamage = new Set<string>();

  constructor(options: LogReadsOptions) {
    this.#options = options;
  }

  /** Reads that failed with a transient error. */
  get failedCount(): number {
    return this.#failedCount;
  }

  /** Synchronous when all records are in memory and the turn has budget left, which is the usual case. */
  resolve(connection: ConnectionId, fetch: Fetch): Answer | Promise<Answer> {
    const queue = this.#queues.get(connection) ?? { waiting: [] };
    const answer: Answer = { messages: [], events: [] };
    const pending = this.#resolve({ queue, answer, unread: fetch.unread }, fetch);
    if (pending === undefined) return answer;
    this.#queues.set(connection, queue);
    return pending.then(() => {
      if (queue.waiting.length === 0) this.#queues.delete(connection);
      return answer;
    });
  }

  /** Counts `work`, which follows a read and must not reject, as part of that read. */
  track(work: Promise<void>): void {
    this.#running.add(work);
    void work.then(() => this.#running.delete(work));
  }

  /** Resolves when the reads in progress at the call have ended. */
  async done(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  #resolve(task: Task, fetch: Fetch): Promise<void> | undefined {
    const { queue } = task;
    const records = fetch.rows ?? fetch.offsets.length;
    this.#turnSoon();
    const isSmall = records <= recordsPerVisit;
    const mayStart = isSmall ? this.#ready.mayGoFirst(queue, true) : this.#ready.size === 0;
    if (queue.waiting.length === 0 && this.#recordsLeft > 0 && mayStart) {
      this.#charge(queue, records);
      return this.#readAll(task, fetch);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    queue.waiting.push({ records, start: resolve });
    this.#ready.add(queue, isSmall);
    return promise.then(() => this.#readAll(task, fetch));
  }

  #readAll(task: Task, fetch: Fetch): Promise<void> | undefined {
    const records = fetch.offsets.map((offset) => this.#read(offset));
    const take = (found: readonly Record[]) => {
      const bytes = found.reduce(
        (sum, one) => sum + (one instanceof Uint8Array ? one.length : 0),
        0,
      );
      this.#charge(task.queue, bytes / recordBytes);
      return this.#use(task, fetch, found);
    };
    if (records.some((record) => record instanceof Promise)) {
      const read = Promise.all(records.map((record) => Promise.resolve(record)));
      return read.then(take);
    }
    return take(records as Record[]);
  }

  #charge(queue: ConnectionQueue, records: number): void {
    this.#recordsLeft -= records;
    this.#ready.use(queue, records / recordsPerVisit);
  }

  #turnSoon(): void {
    if (this.#nextTurnIsDue) return;
    this.#nextTurnIsDue = true;
    void this.#options.scheduler.afterThisRound().then(() => this.#beginTurn());
  }

  #beginTurn(): void {
    this.#nextTurnIsDue = false;
    this.#recordsLeft = recordsPerTurn;
    while (this.#recordsLeft > 0) {
      const queue = this.#ready.take();
      const next = queue?.waiting.shift();
      if (queue === undefined || next === undefined) return;
      this.#charge(queue, next.records);
      next.start();
      const [first] = queue.waiting;
      if (first !== undefined) this.#ready.add(queue, first.records <= recordsPerVisit);
    }
    this.#turnSoon();
  }

  #use(task: Task, fetch: Fetch, records: readonly Record[]): Promise<void> | undefined {
    const { answer, unread } = task;
    const failed = records.find((record) => record instanceof Error);
    const next =
      failed !== undefined && unread !== undefined
        ? unread(failed)
        : fetch.use(records.map((record) => (record instanceof Error ? null : record)));
    const pending: Promise<void>[] = [];
    for (const one of next) {
      if (one.type === 'send') answer.messages.push(one.outgoing);
      else if (one.type === 'event') answer.events.push(one.event);
      else if (one.type === 'stats') answer.messages.push(this.#options.statsAnswer(one.stats));
      else {
        const more = this.#resolve({ ...task, unread: one.fetch.unread ?? unread }, one.fetch);
        if (more !== undefined) pending.push(more);
      }
    }
    return pending.length === 0 ? undefined : Promise.all(pending).then(() => undefined);
  }

  /** The record, null when it is damaged or missing, or the error why it cannot be read now. */
  #read(offset: number): Record | Promise<Record> {
    try {
      const record = this.#options.read(offset);
      if (!(record instanceof Promise)) return record;
      return record.then(
        (bytes) => this.#readSucceeded(bytes),
        (error: unknown) => this.#readFailed(offset, error),
      );
    } catch (error) {
      return this.#readFailed(offset, error);
    }
  }

  #readSucceeded(record: Uint8Array): Uint8Array {
    this.#options.problems.clear('reading');
    return record;
  }

  /** Only a failed checksum or a missing record counts as damage; other errors are transient. */
  #readFailed(offset: number, thrown: unknown): null | Error {
    const error = asError(thrown);
    if (!(error instanceof LogDamagedError || error instanceof RangeError)) {
      this.#failedCount += 1;
      this.#options.problems.raise('reading', error.message);
      return error;
    }
    this.#noticeDamage(offset, error);
    return null;
  }

  /** Once per batch: all its records are damaged with it, and are asked for repeatedly. */
  #noticeDamage(offset: number, error: Error): void {
    const place = error instanceof LogDamagedError ? `${error.file} ${error.atByte}` : `${offset}`;
    if (this.#reportedDamage.has(place) || this.#reportedDamage.size >= reportedDamageMax) return;
    this.#reportedDamage.add(place);
    this.#options.onNotice(`record ${offset} of the log is damaged: ${String(error)}`);
  }
}
