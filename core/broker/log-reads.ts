/** Looks into the log for the core: reads the records of a fetch, and those that it leads to. */

import type { Outgoing } from './events.ts';
import type { CoreEvent, Fetch } from './queue/effects.ts';

/** What came of a fetch: messages for the place in line, and news for the core. */
export interface Answer {
  readonly messages: Outgoing[];
  readonly events: CoreEvent[];
}

type Record = Uint8Array | null;

export class LogReads {
  readonly #readLog: (offset: number) => Uint8Array | Promise<Uint8Array>;
  readonly #onNotice: (text: string) => void;
  readonly #underWay: Set<Promise<void>> = new Set();

  constructor(
    readLog: (offset: number) => Uint8Array | Promise<Uint8Array>,
    onNotice: (text: string) => void,
  ) {
    this.#readLog = readLog;
    this.#onNotice = onNotice;
  }

  /** No promise when everything was in memory, so that the usual case waits for nothing. */
  resolve(fetch: Fetch): Answer | Promise<Answer> {
    const answer: Answer = { messages: [], events: [] };
    const pending = this.#resolve(fetch, answer);
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

  #resolve(fetch: Fetch, answer: Answer): Promise<void> | undefined {
    const records = fetch.offsets.map((offset) => this.#read(offset));
    if (records.some((record) => record instanceof Promise)) {
      const read = Promise.all(records.map((record) => Promise.resolve(record)));
      return read.then((ready) => this.#take(fetch, ready, answer));
    }
    return this.#take(fetch, records as Record[], answer);
  }

  #take(fetch: Fetch, records: readonly Record[], answer: Answer): Promise<void> | undefined {
    const pending: Promise<void>[] = [];
    for (const one of fetch.use(records)) {
      if (one.type === 'send') answer.messages.push(one.outgoing);
      else if (one.type === 'event') answer.events.push(one.event);
      else {
        const more = this.#resolve(one.fetch, answer);
        if (more !== undefined) pending.push(more);
      }
    }
    return pending.length === 0 ? undefined : Promise.all(pending).then(() => undefined);
  }

  /** The record, or null when it cannot be read: whoever asked decides what that means. */
  #read(offset: number): Record | Promise<Record> {
    const unreadable = (error: unknown): null => {
      this.#onNotice(`record ${offset} of the log cannot be read: ${String(error)}`);
      return null;
    };
    try {
      const record = this.#readLog(offset);
      return record instanceof Promise ? record.catch(unreadable) : record;
    } catch (error) {
      return unreadable(error);
    }
  }
}
