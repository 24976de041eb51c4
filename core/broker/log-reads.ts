/**
 * Looks into the log for the core: reads the records of a fetch, and those that it leads to. So
 * much in one turn of the event loop: what comes then waits for the next, in the order in which it
 * came, so that a long answer is made in pieces with others in between.
 */

import type { Outgoing } from './events.ts';
import { type Log, LogDamagedError, type Scheduler } from './log/contract.ts';
import type { CoreEvent, Fetch, StatsFields } from './queue/effects.ts';
import type { Troubles } from './troubles.ts';

/** What came of a fetch: messages for the place in line, and news for the core. */
export interface Answer {
  readonly messages: Outgoing[];
  readonly events: CoreEvent[];
}

type Record = Uint8Array | Error | null;

/** More damaged places than that say nothing new. */
const toldDamageMax = 1000;

/** Records of a turn: about a millisecond. */
const recordsPerTurn = 256;

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
  #nextTurn: Promise<void> | null = null;
  #failedCount = 0;
  readonly #toldDamage = new Set<string>();

  constructor(options: LogReadsOptions) {
    this.#options = options;
  }

  /** How many reads failed for a reason that may pass. */
  get failedCount(): number {
    return this.#failedCount;
  }

  /** No promise when all is in memory and the turn has room, so that the usual case waits for nothing. */
  resolve(fetch: Fetch): Answer | Promise<Answer> {
    const answer: Answer = { messages: [], events: [] };
    const pending = this.#resolve(fetch, answer, fetch.unread);
    return pending === undefined ? answer : pending.then(() => answer);
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

  #resolve(fetch: Fetch, answer: Answer, unread: Fetch['unread']): Promise<void> | undefined {
    const isOver = this.#recordsLeft <= 0;
    this.#nextTurn ??= this.#options.scheduler.afterThisRound().then(() => this.#beginTurn());
    if (isOver) return this.#nextTurn.then(() => this.#resolve(fetch, answer, unread));
    this.#recordsLeft -= fetch.rows ?? fetch.offsets.length;
    const records = fetch.offsets.map((offset) => this.#read(offset));
    const take = (found: readonly Record[]) => this.#take(fetch, found, answer, unread);
    if (records.some((record) => record instanceof Promise)) {
      const read = Promise.all(records.map((record) => Promise.resolve(record)));
      return read.then(take);
    }
    return take(records as Record[]);
  }

  #beginTurn(): void {
    this.#recordsLeft = recordsPerTurn;
    this.#nextTurn = null;
  }

  #take(
    fetch: Fetch,
    records: readonly Record[],
    answer: Answer,
    unread: Fetch['unread'],
  ): Promise<void> | undefined {
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
        const more = this.#resolve(one.fetch, answer, one.fetch.unread ?? unread);
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
    this.#tellDamage(offset, error);
    return null;
  }

  /** Once for each place: all records of a batch are damaged with it, and are asked for again. */
  #tellDamage(offset: number, error: Error): void {
    const place = error instanceof LogDamagedError ? `${error.file} ${error.atByte}` : `${offset}`;
    if (this.#toldDamage.has(place) || this.#toldDamage.size >= toldDamageMax) return;
    this.#toldDamage.add(place);
    this.#options.onNotice(`record ${offset} of the log cannot be read: ${String(error)}`);
  }
}
