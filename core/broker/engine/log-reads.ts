/**
 * Looks into the log for the core: reads the records of a fetch, and those that it leads to. So
 * much in one turn of the event loop: what comes then waits, and the connections that it is read for
 * take turns. So a long answer is made in pieces with others in between, and who needs a few records
 * waits for nobody who needs many.
 */

import type { ConnectionId, Outgoing } from '../events.ts';
import { type Log, LogDamagedError, type Scheduler } from '../log/contract.ts';
import type { CoreEvent, Fetch, StatsFields } from '../state-machine/context/effects.ts';
import type { Troubles } from './problems.ts';
import { RoundRobin } from './round-robin.ts';

/** What came of a fetch: messages for the place in line, and news for the core. */
export interface Answer {
  readonly messages: Outgoing[];
  readonly events: CoreEvent[];
}

type Record = Uint8Array | Error | null;

/** More damaged places than that say nothing new. */
const reportedDamageMax = 1000;

/** Records of a turn: about a millisecond. */
const recordsPerTurn = 256;
/** Records for one connection before others have their turn. */
const recordsPerVisit = 32;
/** So many bytes cost as much as one record. */
const recordBytes = 4 * 1024;

/** What waits to be read for one connection, in order. */
interface Line {
  readonly waiting: { readonly records: number; readonly go: () => void }[];
}

/** A fetch and all that it leads to. */
interface Task {
  readonly line: Line;
  readonly answer: Answer;
  /** What comes of it when something cannot be read now. */
  readonly unread: Fetch['unread'];
}

export interface LogReadsOptions {
  readonly read: Log['read'];
  readonly scheduler: Pick<Scheduler, 'afterThisRound'>;
  readonly troubles: Troubles;
  readonly statsAnswer: (fields: StatsFields) => Outgoing;
  readonly onNotice: (text: string) => void;
}

export class LogReads {
  readonly #options: LogReadsOptions;
  readonly #underWay: Set<Promise<void>> = new Set();
  #recordsLeft = recordsPerTurn;
  #nextTurnIsDue = false;
  /** Of connections that something is read for. */
  readonly #lines: Map<ConnectionId, Line> = new Map();
  /** Lines in which something waits. */
  readonly #ready: RoundRobin<Line> = new RoundRobin();
  #failedCount = 0;
  readonly #reportedDamage = new Set<string>();

  constructor(options: LogReadsOptions) {
    this.#options = options;
  }

  /** How many reads failed for a reason that may pass. */
  get failedCount(): number {
    return this.#failedCount;
  }

  /** No promise when all is in memory and the turn has room, so that the usual case waits for nothing. */
  resolve(connection: ConnectionId, fetch: Fetch): Answer | Promise<Answer> {
    const line = this.#lines.get(connection) ?? { waiting: [] };
    const answer: Answer = { messages: [], events: [] };
    const pending = this.#resolve({ line, answer, unread: fetch.unread }, fetch);
    if (pending === undefined) return answer;
    this.#lines.set(connection, line);
    return pending.then(() => {
      if (line.waiting.length === 0) this.#lines.delete(connection);
      return answer;
    });
  }

  /** The work after a read counts as part of it; it must not fail. */
  track(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.then(() => this.#underWay.delete(work));
  }

  /** Reads that are under way now have ended. */
  async done(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  #resolve(task: Task, fetch: Fetch): Promise<void> | undefined {
    const { line } = task;
    const records = fetch.rows ?? fetch.offsets.length;
    this.#turnSoon();
    const isSmall = records <= recordsPerVisit;
    const waitsForNobody = isSmall ? this.#ready.mayGoFirst(line, true) : this.#ready.size === 0;
    if (line.waiting.length === 0 && this.#recordsLeft > 0 && waitsForNobody) {
      this.#spend(line, records);
      return this.#readAll(task, fetch);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    line.waiting.push({ records, go: resolve });
    this.#ready.add(line, isSmall);
    return promise.then(() => this.#readAll(task, fetch));
  }

  #readAll(task: Task, fetch: Fetch): Promise<void> | undefined {
    const records = fetch.offsets.map((offset) => this.#read(offset));
    const take = (found: readonly Record[]) => {
      const bytes = found.reduce(
        (sum, one) => sum + (one instanceof Uint8Array ? one.length : 0),
        0,
      );
      this.#spend(task.line, bytes / recordBytes);
      return this.#take(task, fetch, found);
    };
    if (records.some((record) => record instanceof Promise)) {
      const read = Promise.all(records.map((record) => Promise.resolve(record)));
      return read.then(take);
    }
    return take(records as Record[]);
  }

  #spend(line: Line, records: number): void {
    this.#recordsLeft -= records;
    this.#ready.use(line, records / recordsPerVisit);
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
      const line = this.#ready.take();
      const next = line?.waiting.shift();
      if (line === undefined || next === undefined) return;
      this.#spend(line, next.records);
      next.go();
      const [first] = line.waiting;
      if (first !== undefined) this.#ready.add(line, first.records <= recordsPerVisit);
    }
    this.#turnSoon();
  }

  #take(task: Task, fetch: Fetch, records: readonly Record[]): Promise<void> | undefined {
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

  /** The record, null when it is not there undamaged, or why it cannot be read now. */
  #read(offset: number): Record | Promise<Record> {
    try {
      const record = this.#options.read(offset);
      if (!(record instanceof Promise)) return record;
      return record.then(
        (bytes) => this.#worked(bytes),
        (error: unknown) => this.#failed(offset, error),
      );
    } catch (error) {
      return this.#failed(offset, error);
    }
  }

  #worked(record: Uint8Array): Uint8Array {
    this.#options.troubles.clear('reading');
    return record;
  }

  /** Only what was read and fails its check is damaged, or what the log never had. */
  #failed(offset: number, thrown: unknown): null | Error {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (!(error instanceof LogDamagedError || error instanceof RangeError)) {
      this.#failedCount += 1;
      this.#options.troubles.raise('reading', error.message);
      return error;
    }
    this.#noticeDamage(offset, error);
    return null;
  }

  /** Once for each place: all records of a batch are damaged with it, and are asked for again. */
  #noticeDamage(offset: number, error: Error): void {
    const place = error instanceof LogDamagedError ? `${error.file} ${error.atByte}` : `${offset}`;
    if (this.#reportedDamage.has(place) || this.#reportedDamage.size >= reportedDamageMax) return;
    this.#reportedDamage.add(place);
    this.#options.onNotice(`record ${offset} of the log cannot be read: ${String(error)}`);
  }
}
