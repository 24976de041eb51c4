/**
 * The limits of one call in flight: total time, silence and bytes. Whichever is hit first aborts the
 * request, with the ModelError that says which as the abort reason.
 */

import type { Readable } from 'node:stream';
import { startTimer, type Timer } from '../base/index.ts';
import type { PostAnswer, postOverHttp } from './http-post.ts';
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
  /** Another request is about to be sent: nothing of the one before counts for it. */
  begin(): void;
  /** The answer is complete; what follows is optional and gets at most two seconds. */
  complete(): void;
  /** Ends the timers, and a response that is not there to its end: any other gives its connection back. */
  close(): void;
  /** Bytes that arrived of the latest body. */
  bodyBytes(): number;
  /** Head of the body of the latest refusal, for its message. */
  errorBody(): string;
  /** The latest request was sent; whether it arrived is not known. */
  isSent(): boolean;
  /** The latest response began well. */
  hasAnswer(): boolean;
  /** Of the latest response; none where there was no response. */
  headers(): Headers;
  /** The latest response was a refusal by its status. */
  isRefused(): boolean;
  /** Posts under the limits, and reads no endless body. */
  readonly post: (...request: Parameters<typeof postOverHttp>) => Promise<Response>;
}

export interface WatchLimits {
  readonly timeoutMs: number;
  readonly idleMs: number;
  readonly answerBytesMax: number;
}

/** @param outside ends the call when it aborts */
export function watchCall(
  limits: WatchLimits,
  outside: AbortSignal,
  send: typeof postOverHttp,
): CallWatch {
  const controller = new AbortController();
  let idleMs = limits.idleMs;
  let idle: Timer | undefined;
  const seen: Seen = { state: 'idle', answer: null, bodyBytes: 0, errorBody: '' };

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
    begin: () => {
      idle?.clear();
      seen.state = 'idle';
      seen.answer = null;
    },
    bodyBytes: () => seen.bodyBytes,
    errorBody: () => seen.errorBody,
    isSent: () => seen.state !== 'idle',
    hasAnswer: () => seen.state === 'answered',
    headers: () => seen.answer?.headers ?? new Headers(),
    isRefused: () => seen.state === 'refused',
    complete: () => {
      idleMs = Math.min(idleMs, lingerMs);
      touch();
    },
    close: () => {
      deadline.clear();
      idle?.clear();
      outside.removeEventListener('abort', onOutside);
      if (seen.answer?.isWhole() === true) seen.answer.body.resume();
      else controller.abort(closed);
    },
    post: boundedPost(send, seen, { answerBytesMax: limits.answerBytesMax, touch, stop }),
  };
}

/** What became of the latest request. */
interface Seen {
  state: 'idle' | 'sent' | 'answered' | 'refused';
  answer: PostAnswer | null;
  bodyBytes: number;
  errorBody: string;
}

interface Bounds {
  readonly answerBytesMax: number;
  /** Called with every sign of life. */
  readonly touch: () => void;
  readonly stop: CallWatch['stop'];
}

function boundedPost(send: typeof postOverHttp, seen: Seen, bounds: Bounds): CallWatch['post'] {
  return async (url, request) => {
    request.signal.throwIfAborted();
    Object.assign(seen, {
      state: 'sent',
      answer: null,
      errorBody: '',
      bodyBytes: 0,
    } satisfies Seen);
    seen.answer = await send(url, request);
    const { status, headers, body } = seen.answer;
    const isOk = status >= 200 && status <= 299;
    seen.state = isOk ? 'answered' : 'refused';
    bounds.touch();
    if (!isOk) {
      seen.errorBody = await headOf(body);
      return new Response(seen.errorBody || null, { status, headers });
    }
    const isStream = /\bevent-stream\b/i.test(headers.get('content-type') ?? '');
    return new Response(boundedBody(body, isStream, { ...bounds, seen }), { headers });
  };
}

function timedOut(code: string, message: string): ModelError {
  return new ModelError('unavailable', code, message);
}

/**
 * The chunks of a body. It stops the call when a body, or one event of a stream, grows past all reason: both
 * are held in memory until they are whole. A stream as a whole is bounded by what its pieces weigh around a
 * token of text each.
 */
async function* boundedBody(
  chunks: Readable,
  isStream: boolean,
  { answerBytesMax, touch, stop, seen }: Bounds & { readonly seen: Seen },
): AsyncGenerator<Uint8Array> {
  const frameMax = 8 * answerBytesMax + frameBytesMax;
  const bodyMax = isStream ? 64 * answerBytesMax + 16 * frameBytesMax : frameMax;
  let frame = 0;
  /** The end of what came before: an empty line may lie across two chunks. */
  let tail: Buffer = Buffer.alloc(0);
  // Not destroyed by a reader that needs no more: that would cost the connection.
  const iterator = chunks.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  for await (const chunk of iterator) {
    touch();
    seen.bodyBytes += chunk.length;
    const recent = isStream ? Buffer.concat([tail, chunk]) : chunk;
    const end = isStream ? lastEmptyLine(recent) : -1;
    frame = end === -1 ? frame + chunk.length : recent.length - end;
    tail = recent.subarray(-3);
    if (frame > frameMax || seen.bodyBytes > bodyMax) {
      const error = answerTooLong(answerBytesMax);
      stop(error);
      throw error;
    }
    yield chunk;
  }
}

/** Where an event of a stream ended last; -1 when none did. */
function lastEmptyLine(bytes: Buffer): number {
  return Math.max(...['\n\n', '\n\r\n', '\r\r'].map((line) => bytes.lastIndexOf(line)));
}

/** Of a refusal only the first 64 KiB are read. */
async function headOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
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
