/** What a bench tells the client processes, and what they answer. */

/** How jobs are handed over: so many in each call, and so many calls at one time. */
export interface Shape {
  readonly batch: number;
  readonly calls: number;
}

export interface ProduceOrder {
  readonly queue: string;
  /** Bytes of a job. */
  readonly bytes: number;
  readonly shape: Shape;
  /** No more than so many; without it until it is stopped. */
  readonly jobsMax?: number;
  /** At this rate, each call by itself, instead of as fast as answers come. */
  readonly perSecond?: number;
  /** Most jobs that lie ahead of the consumer. */
  readonly aheadMax?: number;
}

export interface ConsumeOrder {
  readonly queue: string;
  readonly atOnce: number;
}

/** What a client did within a window. */
export interface Watched {
  /** Acknowledged, or taken. */
  readonly jobs: number;
  readonly ms: number;
  /** Processor time of the client's process, microseconds. */
  readonly cpuMicros: number;
  /** From the call of the producer to the delivery, of each job that was taken. */
  readonly latenciesMs: readonly number[];
}

/** Orders by name, with what each takes and answers. */
export interface Orders {
  /** Connects so many times, and makes the queue. */
  open: { takes: { address: unknown; connections: number; queue: string }; answers: null };
  /** Answers when the last job is acknowledged, with their number. */
  produce: { takes: ProduceOrder; answers: number };
  /** Answers when the subscription is made. */
  consume: { takes: ConsumeOrder; answers: null };
  watch: { takes: { ms: number }; answers: Watched };
  /** No more jobs; those that are under way are waited for. */
  stop: { takes: null; answers: null };
  /** Closes its connections and gives back what it holds. */
  close: { takes: null; answers: null };
  waiting: { takes: { queue: string }; answers: number };
  /** Jobs that were acknowledged or taken since the start. */
  done: { takes: null; answers: number };
  /** How many jobs the consumer has taken, for `aheadMax`. */
  taken: { takes: number; answers: null };
}

export type OrderName = keyof Orders;

export interface Envelope {
  readonly number: number;
  readonly name: OrderName;
  readonly takes: unknown;
}

/** With the number of the order; a `taken` comes without one. */
export type Answer =
  | { readonly number: number; readonly value: unknown }
  | { readonly number: number; readonly error: string }
  | { readonly taken: number };
