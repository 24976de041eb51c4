/**
 * One model call done right: the `openai` package underneath, our own limits, our own end-of-stream
 * check, and every failure a ModelError. Retries nothing that a server may have been paid for.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenAI } from 'openai';
import type { Stream } from 'openai/core/streaming';
import { checkAnswer } from './answer/check-answer.ts';
import { PartialAnswer, type WireChunk } from './answer/stream.ts';
import { callsInText } from './answer/tools-as-text.ts';
import { usageFrom } from './answer/wire-usage.ts';
import { clientFor } from './client.ts';
import { type Allowance, allowancesIn } from './failures/allowances.ts';
import { notAModelEndpoint } from './failures/failure-rules.ts';
import { failureOf, toModelError } from './failures/failures.ts';
import { type Rewrite, refusalIn, rewriteFor, rewritten } from './failures/rewrites.ts';
import type { postOverHttp } from './http-post.ts';
import { type ModelAnswer, type ModelCall, ModelError, type Provider } from './model.ts';
import { type RequestBody, requestBody } from './request.ts';
import { answerTooLong, type CallWatch, watchCall } from './watch.ts';

export interface ModelCaller {
  /**
   * Makes one call and joins the streamed answer. Whether it was cut by length the caller
   * checks (`callWithLengthRetry`).
   * @throws ModelError, whose `usage` is what the call cost all the same, and what the gate throws
   */
  call(request: ModelCall, signal: AbortSignal, gate?: CallGate): Promise<ModelAnswer>;
}

/** Asked before each request of a call: it may be put several ways until its server takes it. */
export interface CallGate {
  /** Resolves once the request may be sent; what it throws ends the call. */
  open(body: RequestBody): Promise<void>;
  /** What the server said of its limits, before the end of the request that was let through last. */
  heard(allowances: readonly Allowance[]): void;
  /** That request brought no answer. */
  failed(error: ModelError): void;
}

/** One call, as all of its requests share it. */
interface GatedCall {
  readonly request: ModelCall;
  readonly signal: AbortSignal;
  readonly gate: CallGate | undefined;
}

/** What one caller has learned about its server. */
interface Endpoint {
  readonly provider: Provider;
  readonly client: OpenAI;
  readonly Events: typeof Stream;
  readonly send: typeof postOverHttp;
  /** By model: what made a call succeed once, so that it is right at once next time. */
  readonly learned: Map<string, readonly Rewrite[]>;
  answeredBefore: boolean;
}

/** The deadline is ours; the client's own is the longest that its timer can hold. */
const clientTimeoutMs = 2 ** 31 - 1;

/** Loads the `openai` package on first use (some 650 ms cold) and binds it to one provider. */
export async function createCaller(provider: Provider): Promise<ModelCaller> {
  const [{ OpenAI: Client }, { Stream: Events }, { postOverHttp: send }] = await Promise.all([
    import('openai'),
    import('openai/core/streaming'),
    import('./http-post.ts'),
  ]);
  const endpoint: Endpoint = {
    provider,
    client: clientFor(provider, Client),
    Events,
    send,
    learned: new Map(),
    answeredBefore: false,
  };
  return {
    call: (request, signal, gate) => callUntilSure(endpoint, { request, signal, gate }),
  };
}

/** Before a server counts as no model endpoint, it is asked again after each of these pauses. */
const endpointRetriesMs = [200, 800];

/**
 * Calls up to three times before an address counts as no model endpoint: that stops the whole consumer,
 * and one odd page of a proxy must not. Nothing was paid for by then.
 */
async function callUntilSure(endpoint: Endpoint, call: GatedCall): Promise<ModelAnswer> {
  const { signal } = call;
  for (const pauseMs of endpointRetriesMs) {
    try {
      return await callEndpoint(endpoint, call);
    } catch (error) {
      if (!isNoEndpoint(error)) throw error;
    }
    // An abort shows in the next call.
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }
  return callEndpoint(endpoint, call);
}

/** A refusal with a status is no passing moment: that address is wrong at once. */
function isNoEndpoint(error: unknown): boolean {
  if (!(error instanceof ModelError) || error.status !== null) return false;
  return error.failure === 'misconfigured' && error.code === notAModelEndpoint.code;
}

async function callEndpoint(
  endpoint: Endpoint,
  { request, signal, gate }: GatedCall,
): Promise<ModelAnswer> {
  const watch = watchCall(request, signal, endpoint.send);
  try {
    let rewrites = endpoint.learned.get(request.model) ?? [];
    let body = rewritten(requestBody(request), rewrites);
    for (;;) {
      await gate?.open(body);
      const outcome = await callOnce(endpoint, { request, body }, watch);
      gate?.heard(allowancesIn(watch.headers(), Date.now()));
      if (!(outcome instanceof ModelError)) {
        endpoint.learned.set(request.model, rewrites);
        return outcome;
      }
      gate?.failed(outcome);
      // A refused request costs nothing, so it may be put another way at once.
      const next = isRefusal(outcome)
        ? rewriteFor(body, refusalIn(watch.errorBody() || outcome.message), rewrites)
        : null;
      if (next === null) throw outcome;
      rewrites = [...rewrites, next.rewrite];
      body = next.body;
    }
  } finally {
    watch.close();
  }
}

/** Whether the error refuses a parameter: by its status, or by its text where the status is ambiguous. */
function isRefusal({ status, code, message, usage }: ModelError): boolean {
  if (usage !== null) return false;
  // In a stream that began well there is no status.
  if (status === null || status === 400 || status === 422)
    return code === 'bad_request' || /max_\w*tokens/.test(message);
  if (status === 403 || status === 404 || status === 405 || status === 501) {
    return /support|allow|verif|implement/i.test(message);
  }
  return status === 406 || status === 415;
}

/** One request. Failures are returned, so that the loop above can rewrite the request. */
async function callOnce(
  endpoint: Endpoint,
  { request, body }: { request: ModelCall; body: RequestBody },
  watch: CallWatch,
): Promise<ModelAnswer | ModelError> {
  const { provider } = endpoint;
  const partial = new PartialAnswer(request.model);
  let failure: ModelError | null = null;
  watch.begin();
  try {
    await receive(endpoint, { request, body, partial }, watch);
  } catch (error) {
    failure = watch.reason() ?? toModelError(provider, error, watch.errorBody());
    if (!watch.isSent()) failure = failure.unsent();
  }
  const inputBytes = Buffer.byteLength(JSON.stringify([body.messages, body.tools ?? []]));
  const usage = partial.usage(inputBytes);
  if (partial.bytes > request.answerBytesMax) {
    return answerTooLong(request.answerBytesMax).withUsage(usage);
  }
  const offered = (request.tools ?? []).length > 0;
  const answer = partial.finish(inputBytes, offered);
  // After the finish reason only the usage can be missing: such an answer is whole, and paid for.
  if (answer === null) {
    const error = failure ?? watch.reason() ?? unfinished(provider, partial);
    return isPaid(error, partial, watch) ? error.withUsage(usage) : withReportedUsage(error, watch);
  }
  endpoint.answeredBefore = true;
  const whole = offered && body.tools === undefined ? withCallsInText(answer) : answer;
  return checkAnswer(provider, whole, partial.refusal);
}

function withCallsInText(answer: ModelAnswer): ModelAnswer {
  const toolCalls = callsInText(answer.text);
  return toolCalls.length === 0 ? answer : { ...answer, text: '', toolCalls };
}

/** A call counts from the moment that the server began to answer, or took the request in silence. */
function isPaid({ code }: ModelError, { chunks }: PartialAnswer, watch: CallWatch): boolean {
  if (chunks > 0) return true;
  if (watch.reason() !== null) return watch.isSent() && !watch.isRefused();
  return watch.hasAnswer() && ['stream_cut', 'bad_stream', 'connection_failed'].includes(code);
}

/** Adds the usage that a refusal reports, if any. */
function withReportedUsage(error: ModelError, watch: CallWatch): ModelError {
  const usage = watch.isRefused() ? (parsedBody(watch.errorBody()) ?? {}).usage : null;
  return usage ? error.withUsage(usageFrom(usage, { input: 0, output: 0 })) : error;
}

async function receive(
  endpoint: Endpoint,
  { request, body, partial }: { request: ModelCall; body: RequestBody; partial: PartialAnswer },
  watch: CallWatch,
): Promise<void> {
  const { signal } = watch;
  const options = { signal, timeout: clientTimeoutMs, fetchOptions: { agent: watch } };
  const response = await endpoint.client.chat.completions.create(body, options).asResponse();
  const type = response.headers.get('content-type') ?? '';
  if (/\bhtml\b/i.test(type)) throw notAnEndpoint(endpoint, `it answered with ${type}`);
  // A server that cannot stream sends the whole completion at once, in the same shape but for names.
  const chunks = /\bjson\b/i.test(type)
    ? wholeAnswers(endpoint, await response.text())
    : endpoint.Events.fromSSEResponse<WireChunk>(response, new AbortController());
  for await (const chunk of chunks) {
    partial.add(chunk);
    if (partial.bytes > request.answerBytesMax) watch.stop(answerTooLong(request.answerBytesMax));
    if (watch.signal.aborted) throw watch.signal.reason;
    if (partial.finishReason !== null) watch.complete();
  }
  // A stream with nothing in it was cut early; any other text is a page.
  const isStream = /\bevent-stream\b/i.test(type);
  if (partial.chunks > 0 || isStream || watch.bodyBytes() === 0) return;
  throw notAnEndpoint(endpoint, `it answered with ${type || 'text of no type'}`);
}

interface WireBody extends WireChunk {
  /** Some servers answer 200 and put the error into the body. */
  readonly error?: unknown;
}

/** One answer, or none in an empty body. */
function wholeAnswers(endpoint: Endpoint, text: string): WireChunk[] {
  if (text.trim() === '') return [];
  const answer = parsedBody(text);
  if (answer?.error) {
    const { error } = answer;
    const fields = typeof error === 'object' ? error : { message: error };
    throw toModelError(endpoint.provider, { ...fields, error });
  }
  if (!Array.isArray(answer?.choices)) {
    throw notAnEndpoint(endpoint, 'it answered with JSON that is no chat completion');
  }
  return [answer];
}

function parsedBody(text: string): WireBody | null {
  try {
    return JSON.parse(text) as WireBody | null;
  } catch {
    return null;
  }
}

/**
 * A server that answered well before has a bad moment, which is worth a retry; one that never did is
 * the wrong address, and no job should lose its attempts to that.
 */
function notAnEndpoint({ provider, answeredBefore }: Endpoint, detail: string): ModelError {
  const failure = answeredBefore ? 'unavailable' : notAModelEndpoint.failure;
  return failureOf(provider, { ...notAModelEndpoint, failure }, detail);
}

function unfinished(provider: Provider, partial: PartialAnswer): ModelError {
  const rule = {
    failure: 'unavailable',
    code: 'stream_cut',
    title: 'the answer broke off before its end',
  } as const;
  return failureOf(provider, rule, `${partial.bytes} bytes had arrived`);
}
