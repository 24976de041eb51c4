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
  /** Those of the frames that were answered, in the order of the items. */
  answers: Answer[];
  unanswered: number;
  readonly resolve: (answers: Answer[]) => void;
  readonly reject: (error: Error) => void;
}

/** Items of one call that lie one behind the other in a frame, and in the call from `from` on. */
interface Run<Item, Answer> {
  readonly call: Call<Item, Answer>;
  readonly from: number;
  count: number;
}

interface Frame<Item, Answer> {
  readonly items: Item[];
  readonly runs: Run<Item, Answer>[];
  bytes: number;
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
    return new Promise((resolve, reject) => {
      if (this.#calls.length === 0) setImmediate(() => this.flush());
      this.#calls.push({ items, answers: [], unanswered: items.length, resolve, reject });
    });
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

  #sendAll(calls: readonly Call<Item, Answer>[], { itemsMax, bytesMax }: BatchLimits): void {
    let frame: Frame<Item, Answer> = { items: [], runs: [], bytes: 0 };
    for (const call of calls) {
      let run: Run<Item, Answer> | null = null;
      for (const [index, item] of call.items.entries()) {
        const bytes = this.#options.bytesOf(item);
        const isFull = frame.items.length === itemsMax || frame.bytes + bytes > bytesMax;
        if (isFull && frame.items.length > 0) {
          void this.#send(frame);
          frame = { items: [], runs: [], bytes: 0 };
          run = null;
        }
        if (run === null) frame.runs.push((run = { call, from: index, count: 0 }));
        run.count += 1;
        frame.items.push(item);
        frame.bytes += bytes;
      }
    }
    void this.#send(frame);
  }

  async #send({ items, runs, bytes }: Frame<Item, Answer>): Promise<void> {
    try {
      const answers = oneForEach(items, await this.#options.send(items, bytes));
      let at = 0;
      for (const run of runs) {
        take(run, answers.slice(at, at + run.count));
        at += run.count;
      }
    } catch (error) {
      rejectAll(runs.map(({ call }) => call))(error);
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

function take<Item, Answer>({ call, from }: Run<Item, Answer>, answers: Answer[]): void {
  call.unanswered -= answers.length;
  if (answers.length === call.items.length) call.answers = answers;
  else for (const [at, answer] of answers.entries()) call.answers[from + at] = answer;
  if (call.unanswered === 0) call.resolve(call.answers);
}
