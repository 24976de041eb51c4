/**
 * The limits of one call in flight: total time, silence and bytes. Whichever is hit first aborts the
 * request, with the ModelError that says which as the abort reason.
 */

import type { ReadableStream } from 'node:stream/web';
import { startTimer, type Timer } from '../base/index.ts';
import { ModelError } from './model.ts';

/** After the finish reason only the usage can follow; longest wait for it. */
const lingerMs = 2000;

/** What an error page or an answer may weigh before a line of it ends, besides the answer itself. */
const frameBytesMax = 1024 * 1024;
const errorBytesMax = 64 * 1024;
/** One for all: making an error with its stack takes longer than ending a call. */
const closed = new Error('the call is over');

export interface CallWatch {
  readonly signal: AbortSignal;
  /** The error that ended the call, when it was this watch that did. */
  reason(): ModelError | null;
  stop(error: ModelError): void;
  /** The answer is complete; what follows is optional and gets at most two seconds. */
  complete(): void;
  /** Ends the timers and cancels a response that is not read to its end. */
  close(): void;
  /** Bytes that arrived of the latest body. */
  bodyBytes(): number;
  /** Head of the body of the latest refusal, for its message. */
  errorBody(): string;
  /** The latest request was sent; whether it arrived is not known. */
  isSent(): boolean;
  /** The latest response began well. */
  hasAnswer(): boolean;
  /** The latest response was a refusal by its status. */
  isRefused(): boolean;
  /** `fetch` that obeys the limits, refuses redirects and reads no endless body. */
  readonly fetch: typeof fetch;
}

export interface WatchLimits {
  readonly timeoutMs: number;
  readonly idleMs: number;
  readonly answerBytesMax: number;
}

export function watchCall(limits: WatchLimits, outside: AbortSignal): CallWatch {
  const controller = new AbortController();
  let idleMs = limits.idleMs;
  let idle: Timer | undefined;
  const seen: Seen = { state: 'idle', bodyBytes: 0, errorBody: '' };

  const stop = (error: ModelError): void => controller.abort(error);
  const onOutside = (): void => stop(new ModelError('aborted', 'aborted', 'The call was aborted.'));
  const deadline = startTimer(limits.timeoutMs, () =>
    stop(timedOut('deadline', `The call took longer than ${limits.timeoutMs} ms.`)),
  );
  const touch = (): void => {
    idle?.clear();
    idle = startTimer(idleMs, () =>
      stop(timedOut('stream_idle', `The server went silent for ${idleMs} ms in its answer.`)),
    );
  };

  if (outside.aborted) onOutside();
  else outside.addEventListener('abort', onOutside, { once: true });

  return {
    signal: controller.signal,
    reason: () => (controller.signal.aborted ? (controller.signal.reason as ModelError) : null),
    stop,
    bodyBytes: () => seen.bodyBytes,
    errorBody: () => seen.errorBody,
    isSent: () => seen.state !== 'idle',
    hasAnswer: () => seen.state === 'answered',
    isRefused: () => seen.state === 'refused',
    complete: () => {
      idleMs = Math.min(idleMs, lingerMs);
      touch();
    },
    close: () => {
      deadline.clear();
      idle?.clear();
      outside.removeEventListener('abort', onOutside);
      controller.abort(closed);
    },
    fetch: boundedFetch(seen, limits.answerBytesMax, { touch, stop }),
  };
}

/** What became of the latest request. */
interface Seen {
  state: 'idle' | 'sent' | 'answered' | 'refused';
  bodyBytes: number;
  errorBody: string;
}

function boundedFetch(
  seen: Seen,
  answerBytesMax: number,
  { touch, stop }: { readonly touch: () => void; readonly stop: CallWatch['stop'] },
): typeof fetch {
  return async (input, init) => {
    Object.assign(seen, { state: 'sent', errorBody: '', bodyBytes: 0 } satisfies Seen);
    const response = await patientFetch(input, { ...init, redirect: 'error' });
    seen.state = response.ok ? 'answered' : 'refused';
    if (response.body === null) return response;
    touch();
    const { status, statusText, headers } = response;
    if (!response.ok) {
      seen.errorBody = await headOf(response.body);
      return new Response(seen.errorBody, { status, statusText, headers });
    }
    const onBytes = (bytes: number): void => {
      seen.bodyBytes += bytes;
      touch();
    };
    const isStream = /\bevent-stream\b/i.test(headers.get('content-type') ?? '');
    const guard = bodyGuard(answerBytesMax, isStream, { onBytes, stop });
    return new Response(response.body.pipeThrough(guard), { status, statusText, headers });
  };
}

function timedOut(code: string, message: string): ModelError {
  return new ModelError('unavailable', code, message);
}

/**
 * Passes everything on and stops the call when a body, or one event of a stream, grows past all
 * reason: both are held in memory until they are whole. A stream as a whole is bounded by what its
 * pieces weigh around a token of text each.
 */
function bodyGuard(
  answerBytesMax: number,
  isStream: boolean,
  {
    onBytes,
    stop,
  }: { readonly onBytes: (bytes: number) => void; readonly stop: CallWatch['stop'] },
): TransformStream<Uint8Array, Uint8Array> {
  const frameMax = 8 * answerBytesMax + frameBytesMax;
  const bodyMax = isStream ? 64 * answerBytesMax + 16 * frameBytesMax : frameMax;
  let body = 0;
  let frame = 0;
  /** The end of what came before: an empty line may lie across two chunks. */
  let tail = Buffer.alloc(0);
  return new TransformStream({
    transform(chunk, controller) {
      onBytes(chunk.length);
      body += chunk.length;
      const seen = Buffer.concat([tail, chunk]);
      const end = isStream ? lastEmptyLine(seen) : -1;
      frame = end === -1 ? frame + chunk.length : seen.length - end;
      tail = seen.subarray(-3);
      if (frame > frameMax || body > bodyMax) stop(answerTooLong(answerBytesMax));
      else controller.enqueue(chunk);
    },
  });
}

/** Where an event of a stream ended last; -1 when none did. */
function lastEmptyLine(bytes: Buffer): number {
  return Math.max(...['\n\n', '\n\r\n', '\r\r'].map((line) => bytes.lastIndexOf(line)));
}

/** Of a refusal only the first 64 KiB are read. */
async function headOf(body: ReadableStream<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= errorBytesMax) break;
  }
  return Buffer.concat(chunks).subarray(0, errorBytesMax).toString();
}

/** Permanent: asking again would buy the same flood. */
export function answerTooLong(bytesMax: number): ModelError {
  return new ModelError(
    'permanent',
    'answer_too_long',
    `The answer is longer than the ${bytesMax} bytes that are allowed. ` +
      'Set model.options.maxOutputTokens, or raise the limit for answers.',
  );
}

/** Where Node keeps the dispatcher behind `fetch`, such as one that uses a proxy. */
const globalDispatcher = Symbol.for('undici.globalDispatcher.1');

type Dispatcher = NonNullable<RequestInit['dispatcher']>;
type DispatcherClass = new (options: { headersTimeout: number; bodyTimeout: number }) => Dispatcher;

let dispatcher: Dispatcher | undefined;

/**
 * `fetch` without its own limit of five minutes without headers or without a byte: `limits.timeout` and
 * `limits.idle` bound a call.
 */
const patientFetch: typeof fetch = (input, init) => {
  dispatcher ??= createDispatcher();
  return fetch(input, { ...init, ...(dispatcher === undefined ? {} : { dispatcher }) });
};

/** Of the same kind as Node's own; undefined where Node keeps it elsewhere. */
function createDispatcher(): Dispatcher | undefined {
  // Node loads all of it once any of its classes is used.
  if (typeof Headers !== 'function') return undefined;
  const own = (globalThis as { [globalDispatcher]?: Dispatcher })[globalDispatcher];
  const Own = own?.constructor as DispatcherClass | undefined;
  return Own === undefined ? undefined : new Own({ headersTimeout: 0, bodyTimeout: 0 });
}
