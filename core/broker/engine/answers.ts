/**
 * What the core sends: held in the line of its connection until its reasons are durable, made from
 * records of the log where it must be, and counted until the peer took it.
 */

import type { ConnectionId, Outgoing } from '../events.ts';
import { type CoreEvent, type Effect, nobody } from '../state-machine/context/effects.ts';
import type { SendQuota } from '../state-machine/context/send-quota.ts';
import { type Answer, LogReads, type LogReadsOptions } from './log-reads.ts';
import { encodedBytes } from './message-size.ts';
import { type MessageSink, Outbox } from './outbox.ts';
import type { RequestScheduler } from './request-scheduler.ts';

interface AnswersOptions extends LogReadsOptions {
  /** Gets messages whose reasons are durable, in the order of each connection. */
  readonly send: (messages: Outgoing[]) => void;
  readonly sinkOf?: (connection: ConnectionId) => MessageSink;
  readonly unsent: SendQuota;
  readonly turns: RequestScheduler;
}

const always: MessageSink = { takes: true };

export class Answers {
  readonly #options: AnswersOptions;
  readonly #outbox: Outbox;
  readonly #reads: LogReads;
  #releasesSoon = false;
  #isStopped = false;

  constructor(options: AnswersOptions) {
    this.#options = options;
    const { send, sinkOf = () => always } = options;
    this.#outbox = new Outbox({ send, sinkOf });
    this.#reads = new LogReads(options);
  }

  /** Keeps a message until `offset` is durable. Offsets never decrease. */
  hold(offset: number, outgoing: Outgoing): void {
    this.#count(outgoing);
    this.#outbox.hold(offset, outgoing);
  }

  /**
   * Reads records; what becomes of them takes the place in line that is kept from now. Gives the
   * news that it has for the core, at once when everything was in memory.
   */
  fetch(
    offset: number,
    { fetch, connection, isAnswer }: Extract<Effect, { type: 'fetch' }>,
  ): CoreEvent[] | Promise<CoreEvent[]> {
    const fill = this.#placeFor(offset, connection, isAnswer);
    const answer = this.#reads.resolve(connection, fetch);
    return answer instanceof Promise ? answer.then(fill) : fill(answer);
  }

  /** The work after a read counts as part of it; it must not fail. */
  track(work: Promise<void>): void {
    this.#reads.track(work);
  }

  /** Reads that are under way now have ended. */
  readsDone(): Promise<void> {
    return this.#reads.done();
  }

  /** How many reads failed for a reason that may pass. */
  get failedReads(): number {
    return this.#reads.failedCount;
  }

  /** Lets go of what depends on nothing beyond `durableOffset`: a part of it now, the rest in the next turns. */
  release(durableOffset: number): void {
    const hasMore = this.#outbox.release(durableOffset);
    if (hasMore && !this.#releasesSoon) void this.#releaseSoon(durableOffset);
  }

  async #releaseSoon(durableOffset: number): Promise<void> {
    this.#releasesSoon = true;
    await this.#options.scheduler.afterThisRound();
    this.#releasesSoon = false;
    if (!this.#isStopped) this.release(durableOffset);
  }

  /** Nothing leaves any more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** The same of all of it: nothing comes any more. */
  releaseAll(durableOffset: number): void {
    this.#outbox.releaseAll(durableOffset);
  }

  #placeFor(
    offset: number,
    connection: ConnectionId,
    isAnswer: boolean,
  ): (answer: Answer) => CoreEvent[] {
    if (connection === nobody) return ({ events }) => events;
    const { turns } = this.#options;
    const place = this.#outbox.reserve(offset, connection);
    if (isAnswer) turns.reading(connection);
    return ({ messages, events }) => {
      for (const message of messages) this.#count(message);
      place.messages = messages;
      if (isAnswer) turns.made(connection);
      return events;
    };
  }

  #count(message: Outgoing): void {
    if (message.bytes !== undefined) return;
    message.bytes = encodedBytes(message.fields);
    this.#options.unsent.add(message.connection, message.bytes);
  }
}
