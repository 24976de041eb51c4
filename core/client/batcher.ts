/**
 * Joins items that are asked for in one turn of the event loop into few frames, and hands each
 * caller the answers to its own items, in order.
 */

import { AiqError, limits as protocolLimits } from '../protocol/index.ts';
import type { RequestOptions } from './requests.ts';
import type { Session } from './session.ts';

export interface BatchLimits {
  readonly itemsMax: number;
  /** Of all items of a frame together, as `bytesOf` counts them. */
  readonly bytesMax: number;
}

/** The length field of a list element. */
export const itemOverheadBytes = 4;
/** What a frame of a batch needs besides its items. */
export const frameOverheadBytes = 64;

export interface BatcherOptions<Item, Answer> {
  /** Upper bound of what the item takes in a frame. */
  bytesOf(item: Item): number;
  /** What the broker takes in a frame; a promise as long as there is no broker. */
  limits(): BatchLimits | Promise<BatchLimits>;
  /** Sends one frame; answers one for each item. */
  send(items: Item[], bytes: number): Promise<readonly Answer[]>;
}

interface Call<Item, Answer> {
  readonly items: readonly Item[];
  readonly answers: Answer[];
  unanswered: number;
  readonly resolve: (answers: Answer[]) => void;
  readonly reject: (error: Error) => void;
}

/** One item and whose it is. */
interface Entry<Item, Answer> {
  readonly item: Item;
  readonly call: Call<Item, Answer>;
  readonly index: number;
}

export class Batcher<Item, Answer> {
  readonly #options: BatcherOptions<Item, Answer>;
  #calls: Call<Item, Answer>[] = [];

  constructor(options: BatcherOptions<Item, Answer>) {
    this.#options = options;
  }

  /** Rejects when any frame that holds one of the items fails. */
  add(items: readonly Item[]): Promise<Answer[]> {
    if (items.length === 0) return Promise.resolve([]);
    const { promise, resolve, reject } = Promise.withResolvers<Answer[]>();
    if (this.#calls.length === 0) setImmediate(() => this.flush());
    this.#calls.push({ items, answers: [], unanswered: items.length, resolve, reject });
    return promise;
  }

  /** Sends what was added, without waiting for the end of the turn. */
  flush(): void {
    const calls = this.#calls;
    this.#calls = [];
    if (calls.length === 0) return;
    const limits = this.#options.limits();
    if (!(limits instanceof Promise)) this.#sendAll(calls, limits);
    else limits.then((known) => this.#sendAll(calls, known)).catch(rejectAll(calls));
  }

  #sendAll(calls: readonly Call<Item, Answer>[], limits: BatchLimits): void {
    const entries = calls.flatMap((call) =>
      call.items.map((item, index) => ({ item, call, index })),
    );
    for (const frame of this.#cut(entries, limits)) void this.#send(frame.entries, frame.bytes);
  }

  #cut(
    entries: readonly Entry<Item, Answer>[],
    limits: BatchLimits,
  ): { entries: Entry<Item, Answer>[]; bytes: number }[] {
    let frame: { entries: Entry<Item, Answer>[]; bytes: number } = { entries: [], bytes: 0 };
    const frames = [frame];
    for (const entry of entries) {
      const bytes = this.#options.bytesOf(entry.item);
      const isFull =
        frame.entries.length === limits.itemsMax || frame.bytes + bytes > limits.bytesMax;
      if (isFull && frame.entries.length > 0) {
        frame = { entries: [], bytes: 0 };
        frames.push(frame);
      }
      frame.entries.push(entry);
      frame.bytes += bytes;
    }
    return frames;
  }

  async #send(entries: readonly Entry<Item, Answer>[], bytes: number): Promise<void> {
    try {
      const sent = await this.#options.send(
        entries.map((entry) => entry.item),
        bytes,
      );
      const answers = oneForEach(entries, sent);
      entries.forEach((entry, index) => take(entry, answers[index] as Answer));
    } catch (error) {
      rejectAll(entries.map((entry) => entry.call))(error);
    }
  }
}

/** What a frame is filled to; waits for a connection as `options` say. */
export function batchLimits(
  session: Session,
  options?: Partial<RequestOptions>,
): BatchLimits | Promise<BatchLimits> {
  const hello = session.openHello;
  return hello === null ? session.opened(options).then(limitsOf) : limitsOf(hello);
}

function limitsOf(hello: { batchItemsMax: number; frameBytesMax: number }): BatchLimits {
  const bytesMax = Math.min(hello.frameBytesMax, protocolLimits.batchBytesMax) - frameOverheadBytes;
  return { itemsMax: hello.batchItemsMax, bytesMax };
}

/** @throws AiqError `BAD_FRAME` when there is not one answer for each item */
export function oneForEach<Answer>(
  items: readonly unknown[],
  answers: readonly Answer[],
): readonly Answer[] {
  if (answers.length === items.length) return answers;
  const message = `${items.length} items were answered with ${answers.length} answers`;
  throw new AiqError('BAD_FRAME', message);
}

function rejectAll(calls: readonly { reject(error: Error): void }[]): (error: unknown) => void {
  return (error) => {
    for (const call of calls) call.reject(error as Error);
  };
}

function take<Item, Answer>({ call, index }: Entry<Item, Answer>, answer: Answer): void {
  call.answers[index] = answer;
  call.unanswered -= 1;
  if (call.unanswered === 0) call.resolve(call.answers);
}
