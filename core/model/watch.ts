/**
 * The limits of one call in flight: total time, silence and bytes. Whichever is hit first aborts the
 * request, with the ModelError that says which as the abort reason.
 */

import type { ReadableStream } from 'node:stream/web';
import { ModelError } from './model.ts';

/** A stream whose finish reason is in may only add its usage: nobody waits long for that. */
const lingerMs = 2000;

/** What an error page or an answer may weigh before a line of it ends, besides the answer itself. */
const frameBytesMax = 1024 * 1024;
const errorBytesMax = 64 * 1024;

export interface CallWatch {
  readonly signal: AbortSignal;
  /** The error that ended the call, when it was this watch that did. */
  reason(): ModelError | null;
  stop(error: ModelError): void;
  /** The answer is complete; what follows is optional and gets at most two seconds. */
  complete(): void;
  /** Ends the timers, and lets go of a response that nobody reads to its end. */
  close(): void;
  /** Bytes that arrived of the latest body. */
  bodyBytes(): number;
  /** Head of the body of a refusal, for its message. */
  errorBody(): string;
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
  let idle: NodeJS.Timeout | undefined;
  let errorBody = '';
  let bodyBytes = 0;

  const stop = (error: ModelError): void => controller.abort(error);
  const onOutside = (): void => stop(new ModelError('aborted', 'aborted', 'The call was aborted.'));
  const deadline = setTimeout(() => {
    stop(timedOut('deadline', `The call took longer than ${limits.timeoutMs} ms.`));
  }, limits.timeoutMs);
  const touch = (): void => {
    clearTimeout(idle);
    idle = setTimeout(() => {
      stop(timedOut('stream_idle', `The server went silent for ${idleMs} ms in its answer.`));
    }, idleMs);
  };

  if (outside.aborted) onOutside();
  else outside.addEventListener('abort', onOutside, { once: true });

  return {
    signal: controller.signal,
    reason: () => (controller.signal.aborted ? (controller.signal.reason as ModelError) : null),
    stop,
    bodyBytes: () => bodyBytes,
    errorBody: () => errorBody,
    complete: () => {
      idleMs = Math.min(idleMs, lingerMs);
      touch();
    },
    close: () => {
      clearTimeout(deadline);
      clearTimeout(idle);
      outside.removeEventListener('abort', onOutside);
      controller.abort();
    },
    fetch: async (input, init) => {
      const response = await fetch(input, { ...init, redirect: 'error' });
      bodyBytes = 0;
      if (response.body === null) return response;
      touch();
      const { status, statusText, headers } = response;
      if (!response.ok) {
        errorBody = await headOf(response.body);
        return new Response(errorBody, { status, statusText, headers });
      }
      const onBytes = (bytes: number): void => {
        bodyBytes += bytes;
        touch();
      };
      const guard = lineGuard(8 * limits.answerBytesMax + frameBytesMax, onBytes, stop);
      return new Response(response.body.pipeThrough(guard), { status, statusText, headers });
    },
  };
}

function timedOut(code: string, message: string): ModelError {
  return new ModelError('transient', code, message);
}

/**
 * Passes everything on and stops the call when one line grows past all reason: the SDK's line
 * decoder would buffer it without end.
 */
function lineGuard(
  lineBytesMax: number,
  onBytes: (bytes: number) => void,
  stop: (error: ModelError) => void,
): TransformStream<Uint8Array, Uint8Array> {
  let lineBytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      onBytes(chunk.length);
      const lineEnd = chunk.lastIndexOf(10);
      lineBytes = lineEnd === -1 ? lineBytes + chunk.length : chunk.length - lineEnd - 1;
      if (lineBytes > lineBytesMax) stop(answerTooLong(lineBytesMax));
      else controller.enqueue(chunk);
    },
  });
}

/** The first 64 KiB tell enough of a refusal; the rest is not read. */
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
