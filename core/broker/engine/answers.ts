/**
 * Responses of the state machine: queued per connection until the records they rest on are durable,
 * completed from the log where they need its records, and charged to the peer's send quota.
 */

import type { ConnectionId, Outgoing } from '../events.ts';
import { type CoreEvent, type Effect, noConnection } from '../state-machine/context/effects.ts';
import type { SendQuota } from '../state-machine/context/send-quota.ts';
import { type Answer, LogReads, type LogReadsOptions } from './log-reads.ts';
import { encodedBytes } from './message-size.ts';
import { type MessageSink, Outbox } from './outbox.ts';
import type { RequestScheduler } from './request-scheduler.ts';

interface AnswersOptions extends LogReadsOptions {
  /** Receives messages whose records are durable, in order per connection. */
  readonly send: (messages: Outgoing[]) => void;
  readonly sinkOf?: (connection: ConnectionId) => MessageSink;
  readonly unsent: SendQuota;
  readonly requests: RequestScheduler;
}

const always: MessageSink = { isOpen: true };

export class Answers {
  readonly #options: AnswersOptions;
  readonly #outbox: Outbox;
  readonly #reads: LogReads;
  #willSendSoon = false;
  #isStopped = false;

  constructor(options: AnswersOptions) {
    this.#options = options;
    const { send, sinkOf = () => always } = options;
    this.#outbox = new Outbox({ send, sinkOf });
    this.#reads = new LogReads(options);
  }

  /** Keeps a message until `offset` is durable. Offsets never decrease. */
  enqueue(offset: number, outgoing: Outgoing): void {
    this.#count(outgoing);
    this.#outbox.enqueue(offset, outgoing);
  }

  /**
   * Reads records for a response, whose slot in the queue is reserved now. Returns the events that
   * result for the state machine; synchronously when all records were in memory.
   */
  fetch(
    offset: number,
    { fetch, connection, isAnswer }: Extract<Effect, { type: 'fetch' }>,
  ): CoreEvent[] | Promise<CoreEvent[]> {
    const fill = this.#slotFor(offset, connection, isAnswer);
    const answer = this.#reads.resolve(connection, fetch);
    return answer instanceof Promise ? answer.then(fill) : fill(answer);
  }

  /** Counts `work`, which follows a read and must not reject, as part of that read. */
  track(work: Promise<void>): void {
    this.#reads.track(work);
  }

  /** Resolves when the reads in progress at the call have ended. */
  readsDone(): Promise<void> {
    return this.#reads.done();
  }

  /** Reads that failed with a transient error. */
  get failedReads(): number {
    return this.#reads.failedCount;
  }

  /** Sends messages that depend on nothing beyond `durableOffset`: one part now, the rest in later turns of the event loop. */
  sendDurable(durableOffset: number): void {
    const hasMore = this.#outbox.sendDurable(durableOffset);
    if (hasMore && !this.#willSendSoon) void this.#sendSoon(durableOffset);
  }

  async #sendSoon(durableOffset: number): Promise<void> {
    this.#willSendSoon = true;
    await this.#options.scheduler.afterThisRound();
    this.#willSendSoon = false;
    if (!this.#isStopped) this.sendDurable(durableOffset);
  }

  /** Sends nothing from here on. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Sends all of them at once, for a shutdown. */
  sendAllDurable(durableOffset: number): void {
    this.#outbox.sendAllDurable(durableOffset);
  }

  #slotFor(
    offset: number,
    connection: ConnectionId,
    isAnswer: boolean,
  ): (answer: Answer) => CoreEvent[] {
    if (connection === noConnection) return ({ events }) => events;
    const { requests } = this.#options;
    const slot = this.#outbox.reserve(offset, connection);
    if (isAnswer) requests.reading(connection);
    return ({ messages, events }) => {
      for (const message of messages) this.#count(message);
      slot.messages = messages;
      if (isAnswer) requests.answered(connection);
      return events;
    };
  }

  #count(message: Outgoing): void {
    if (message.bytes !== undefined) return;
    message.bytes = encodedBytes(message.fields);
    this.#options.unsent.add(message.connection, message.bytes);
  }
}
