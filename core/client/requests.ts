/**
 * The requests that a session has not had an answer to. Each is encoded once, so that it can be
 * sent again, byte for byte, over the next connection; each ends by its own deadline; the bytes
 * that are sent and not answered are bounded.
 */

import {
  AiqError,
  type AnswerOf,
  type AnyMessage,
  encodeFrame,
  errorCodeOf,
  type Message,
  messages,
  type RequestName,
  Writer,
} from '../protocol/index.ts';
import { firstRequestId, lineMs } from './connection.ts';
import { idempotencyOf } from './idempotency.ts';
import { ReadDeadline } from './read-deadline.ts';

export interface RequestOptions {
  /** How long to wait for a connection, and then for the answer; `Infinity` waits for ever. */
  readonly deadlineMs: number;
  /** Gives the request up; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** About how large the frame gets, to spare copies. */
  readonly bytesHint?: number | undefined;
  /** Belongs to the present connection: sent at once, ahead of all that waits, and never again. */
  readonly bound?: boolean;
}

/** The connection as the requests see it. */
export interface Line {
  readonly isOpen: boolean;
  readonly frameBytesMax: number;
  /** Why there is no connection; null when there is one or none was tried yet. */
  readonly failure: AiqError | null;
  send(frame: Uint8Array): void;
}

/** Longer timers fire at once; a deadline of weeks is none. */
const timerMsMax = 2 ** 31 - 1;

interface Request {
  readonly name: RequestName;
  readonly frame: Uint8Array;
  readonly options: RequestOptions;
  /** Ends the request with its answer or its failure. */
  readonly end: (outcome: AnyMessage | Error) => void;
  /** It left on some connection, so the broker may have seen it. */
  wasSent: boolean;
  patience: ReadDeadline | null;
}

export class Requests {
  readonly #line: Line;
  readonly #inFlightBytesMax: number;
  readonly #all = new Map<number, Request>();
  /** Those of `#all` that are to be sent over the present or next connection, in order. */
  readonly #waiting = new Set<Request>();
  #inFlightBytes = 0;
  #nextId = firstRequestId;

  constructor(line: Line, inFlightBytesMax: number) {
    this.#line = line;
    this.#inFlightBytesMax = inFlightBytesMax;
  }

  /** Bytes of those that were sent and not answered. */
  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  get count(): number {
    return this.#all.size;
  }

  /** Sends a request, or keeps it until `pump`. The promise settles with the answer's fields. */
  add<N extends RequestName>(
    name: N,
    fields: Message<N>,
    options: RequestOptions,
  ): Promise<Message<AnswerOf<N>>> {
    const { promise, resolve, reject } = Promise.withResolvers<Message<AnswerOf<N>>>();
    const { signal } = options;
    const id = this.#takeId();
    const writer = new Writer(options.bytesHint);
    encodeFrame(writer, name, id, fields);
    const onAbort = (): void => request.end(signal?.reason as Error);
    const end = (outcome: AnyMessage | Error): void => {
      this.#forget(id, request);
      signal?.removeEventListener('abort', onAbort);
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome.fields as Message<AnswerOf<N>>);
    };
    const frame = writer.written();
    const request: Request = { name, frame, options, end, wasSent: false, patience: null };
    this.#all.set(id, request);
    this.#startTimer(request);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    else if (options.bound === true) this.#send(request);
    else this.#waiting.add(request);
    this.pump();
    return promise;
  }

  /** Sends what waits, as far as the bytes in flight allow; one request may always go. */
  pump(): void {
    if (!this.#line.isOpen) return;
    for (const request of this.#waiting) {
      const bytes = this.#inFlightBytes + request.frame.length;
      if (this.#inFlightBytes > 0 && bytes > this.#inFlightBytesMax) return;
      this.#send(request);
    }
  }

  /** Gives all that waits for a connection its whole patience again. */
  keepWaiting(): void {
    for (const request of this.#waiting) this.#startTimer(request);
  }

  /** Sends everything that waits, whatever is in flight: nothing will follow. */
  flush(): void {
    for (const request of this.#waiting) this.#send(request);
  }

  /**
   * Takes an answer. Answers to requests that were given up are dropped.
   * @throws AiqError `BAD_FRAME` when it is not the kind of message that answers the request;
   *   `SHUTTING_DOWN` when the broker takes nothing more and the request should go to the next one
   */
  answer(message: AnyMessage): void {
    const request = this.#all.get(message.correlationId);
    if (request === undefined) return;
    if (message.name === 'Error') {
      const error = new AiqError(errorCodeOf(message.fields.code), message.fields.message);
      if (error.code === 'SHUTTING_DOWN' && maySendAgain(request)) throw error;
      request.end(error);
    } else if (message.name === messages[request.name].answer) {
      request.end(message);
    } else {
      throw new AiqError('BAD_FRAME', `${request.name} was answered with ${message.name}`);
    }
  }

  /** The connection was lost: keeps what may be sent again, in its order, and ends the rest. */
  connectionLost(reason: AiqError): void {
    this.#inFlightBytes = 0;
    this.#waiting.clear();
    for (const request of this.#all.values()) {
      if (maySendAgain(request)) this.#waiting.add(request);
      else request.end(unanswered(request, reason));
    }
  }

  /** Ends every request: with the reason itself where nothing can have taken effect. */
  fail(reason: AiqError): void {
    for (const request of this.#all.values()) {
      request.end(mayHaveEffect(request) ? unanswered(request, reason) : reason);
    }
  }

  #takeId(): number {
    const id = this.#nextId;
    this.#nextId = id === 0xffff_ffff ? firstRequestId : id + 1;
    return id;
  }

  #forget(id: number, request: Request): void {
    request.patience?.end();
    this.#all.delete(id);
    const wasWaiting = this.#waiting.delete(request);
    if (wasWaiting || !request.wasSent) return;
    this.#inFlightBytes = Math.max(0, this.#inFlightBytes - request.frame.length);
    this.pump();
  }

  #send(request: Request): void {
    const bytes = request.frame.length;
    const bytesMax = this.#line.frameBytesMax;
    if (bytes > bytesMax) {
      const message = `${request.name} takes ${bytes} bytes; the broker allows ${bytesMax} in a frame`;
      request.end(new AiqError('FRAME_TOO_LARGE', message));
      return;
    }
    this.#waiting.delete(request);
    this.#inFlightBytes += bytes;
    if (!request.wasSent) {
      request.wasSent = true;
      // ReadDeadline for the answer begins when the request leaves, not while others were ahead of it,
      // and takes into account how long a slow line needs for it and for those.
      this.#startTimer(request, lineMs(this.#inFlightBytes));
    }
    this.#line.send(request.frame);
  }

  #startTimer(request: Request, moreMs = 0): void {
    request.patience?.end();
    const deadlineMs = request.options.deadlineMs + moreMs;
    if (deadlineMs > timerMsMax) return;
    request.patience = new ReadDeadline(deadlineMs, () => {
      if (this.#line.isOpen && !request.wasSent) {
        // Held back by requests ahead of it on a living connection: that is progress, not failure.
        this.#startTimer(request);
        return;
      }
      request.end(unanswered(request, this.#line.failure));
    });
  }
}

function maySendAgain(request: Request): boolean {
  if (request.options.bound === true) return false;
  return !request.wasSent || idempotencyOf[request.name] !== 'once';
}

function mayHaveEffect(request: Request): boolean {
  return request.wasSent && idempotencyOf[request.name] !== 'read';
}

/** The failure of a request that was not answered; `cause` when that is for want of a connection. */
function unanswered(request: Request, cause: AiqError | null): AiqError {
  const what = request.name.toLowerCase();
  const reason = cause?.message ?? `the broker did not answer in ${request.options.deadlineMs} ms`;
  const options = { cause: cause ?? undefined };
  if (mayHaveEffect(request)) {
    const message = `${what} was sent but not answered, so it may have taken effect: ${reason}`;
    return new AiqError('OUTCOME_UNKNOWN', message, options);
  }
  const isLate = request.wasSent && cause === null;
  return new AiqError(isLate ? 'TIMEOUT' : 'UNREACHABLE', `${what}: ${reason}`, options);
}
