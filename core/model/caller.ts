/**
 * One model call done right: the `openai` package underneath, our own limits, our own end-of-stream
 * check, and every failure a ModelError. Retries nothing that a server may have been paid for.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientOptions, OpenAI } from 'openai';
import { failureOf, notAModelEndpoint, toModelError } from './failures.ts';
import { type ModelAnswer, type ModelCall, ModelError, type Provider } from './model.ts';
import { type Fallback, fallbacks, type RequestBody, requestBody } from './request.ts';
import { PartialAnswer, type WireChunk } from './stream.ts';
import { answerTooLong, type CallWatch, watchCall } from './watch.ts';

export interface ModelCaller {
  /**
   * Makes one call and joins the streamed answer. A `finishReason` of `length` is the caller's to
   * judge (`callWithLengthRetry`).
   * @throws ModelError and nothing else
   */
  call(request: ModelCall, signal: AbortSignal): Promise<ModelAnswer>;
}

/** What one caller has learned about its server. */
interface Endpoint {
  readonly provider: Provider;
  readonly Client: typeof OpenAI;
  /** Fallbacks that a model of this server needed once, so that they are right at once next time. */
  readonly learned: Map<string, Set<Fallback>>;
  answeredBefore: boolean;
}

/** Loads the `openai` package on first use (some 650 ms cold) and binds it to one provider. */
export async function createCaller(provider: Provider): Promise<ModelCaller> {
  const { OpenAI: Client } = await import('openai');
  const endpoint: Endpoint = { provider, Client, learned: new Map(), answeredBefore: false };
  return { call: (request, signal) => callUntilSure(endpoint, request, signal) };
}

/** Before a server counts as no model endpoint, it is asked again after each of these pauses. */
const secondLooksMs = [200, 800];

/**
 * A wrong address stops the whole consumer, and one odd page of a proxy must not: whoever is no
 * endpoint says so three times. Nothing was bought by then.
 */
async function callUntilSure(
  endpoint: Endpoint,
  request: ModelCall,
  signal: AbortSignal,
): Promise<ModelAnswer> {
  for (const pauseMs of secondLooksMs) {
    try {
      return await callEndpoint(endpoint, request, signal);
    } catch (error) {
      if (!isNoEndpoint(error)) throw error;
    }
    // An abort shows in the next call.
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }
  return callEndpoint(endpoint, request, signal);
}

/** A refusal with a status is no passing moment: that address is wrong at once. */
function isNoEndpoint(error: unknown): boolean {
  if (!(error instanceof ModelError) || error.status !== null) return false;
  return error.failure === 'endpoint' && error.code === notAModelEndpoint.code;
}

async function callEndpoint(
  endpoint: Endpoint,
  request: ModelCall,
  signal: AbortSignal,
): Promise<ModelAnswer> {
  const watch = watchCall(request, signal);
  try {
    const learned = learnedFor(endpoint, request.model);
    let body = requestBody(request);
    for (const fallback of learned) body = fallback.rewrite(body) ?? body;
    for (;;) {
      const outcome = await callOnce(endpoint, { request, body }, watch);
      if (!(outcome instanceof ModelError)) return outcome;
      const next = fallbackFor(outcome, body);
      if (next === null) throw outcome;
      learned.add(next.fallback);
      body = next.body;
    }
  } finally {
    watch.close();
  }
}

function learnedFor(endpoint: Endpoint, model: string): Set<Fallback> {
  const known = endpoint.learned.get(model);
  if (known !== undefined) return known;
  const learned = new Set<Fallback>();
  endpoint.learned.set(model, learned);
  return learned;
}

/** A refused request costs nothing, so it may be put another way at once; each way only once. */
function fallbackFor(
  error: ModelError,
  body: RequestBody,
): { fallback: Fallback; body: RequestBody } | null {
  if (error.status !== 400 && error.status !== 422) return null;
  for (const fallback of fallbacks) {
    const rewritten = fallback.refusal.test(error.message) ? fallback.rewrite(body) : null;
    if (rewritten !== null) return { fallback, body: rewritten };
  }
  return null;
}

/** One request. Failures are returned, so that the loop above can look at them. */
async function callOnce(
  endpoint: Endpoint,
  { request, body }: { request: ModelCall; body: RequestBody },
  watch: CallWatch,
): Promise<ModelAnswer | ModelError> {
  const partial = new PartialAnswer(request.model);
  let failure: ModelError | null = null;
  try {
    await receive(endpoint, { request, body, partial }, watch);
  } catch (error) {
    failure = watch.reason() ?? toModelError(endpoint.provider, error, watch.errorBody());
  }
  if (partial.bytes > request.answerBytesMax) return answerTooLong(request.answerBytesMax);
  // After the finish reason only the usage can be missing: such an answer is whole, and paid for.
  if (partial.finishReason === null) {
    return failure ?? watch.reason() ?? unfinished(endpoint.provider, partial);
  }
  endpoint.answeredBefore = true;
  const inputBytes = Buffer.byteLength(JSON.stringify([body.messages, body.tools ?? []]));
  return judged(endpoint.provider, partial, partial.finish(partial.finishReason, inputBytes));
}

async function receive(
  endpoint: Endpoint,
  { request, body, partial }: { request: ModelCall; body: RequestBody; partial: PartialAnswer },
  watch: CallWatch,
): Promise<void> {
  const { data, response } = await clientFor(endpoint, watch)
    .chat.completions.create(body, { signal: watch.signal, timeout: request.timeoutMs + 1000 })
    .withResponse();
  const type = response.headers.get('content-type') ?? '';
  if (/\bhtml\b/i.test(type)) throw notAnEndpoint(endpoint, `it answered with ${type}`);
  // A server that cannot stream sends the whole completion at once, in the same shape but for names.
  const chunks = /\bjson\b/i.test(type)
    ? wholeAnswers(endpoint, await response.text())
    : (data as unknown as AsyncIterable<WireChunk>);
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

/** A client costs microseconds; each call has its own, because each has its own limits in `fetch`. */
function clientFor({ provider, Client }: Endpoint, watch: CallWatch): OpenAI {
  return new Client({
    baseURL: provider.baseURL,
    apiKey: provider.apiKey,
    adminAPIKey: null,
    ...(provider.name === 'openai' ? {} : withoutEnvironment()),
    maxRetries: 0,
    logLevel: 'off',
    fetch: watch.fetch,
  });
}

/** The SDK would send what OPENAI_* variables hold to every server, whoever it belongs to. */
function withoutEnvironment(): Pick<ClientOptions, 'organization' | 'project' | 'defaultHeaders'> {
  const lines = (process.env['OPENAI_CUSTOM_HEADERS'] ?? '').split('\n');
  const names = lines.map((line) => line.replace(/:.*$/, '').trim()).filter((name) => name !== '');
  const defaultHeaders = Object.fromEntries(names.map((name) => [name, null]));
  return { organization: null, project: null, defaultHeaders };
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
  const failure = answeredBefore ? 'transient' : notAModelEndpoint.failure;
  return failureOf(provider, { ...notAModelEndpoint, failure }, detail);
}

function unfinished(provider: Provider, partial: PartialAnswer): ModelError {
  const rule = {
    failure: 'transient',
    code: 'stream_cut',
    title: 'the answer broke off before its end',
  } as const;
  return failureOf(provider, rule, `${partial.bytes} bytes had arrived`);
}

/** Complete is not yet usable: filtered, refused and empty answers are no results. */
function judged(
  provider: Provider,
  partial: PartialAnswer,
  answer: ModelAnswer,
): ModelAnswer | ModelError {
  if (answer.finishReason === 'content_filter') {
    const rule = {
      failure: 'permanent',
      code: 'content_filter',
      title: 'the content filter stopped the answer',
    } as const;
    return failureOf(provider, rule, '');
  }
  if (partial.refusal !== '' && answer.text === '') {
    const rule = { failure: 'permanent', code: 'refused', title: 'the model refused' } as const;
    return failureOf(provider, rule, partial.refusal);
  }
  if (answer.finishReason === 'stop' && answer.text.trim() === '') {
    const rule = {
      failure: 'transient',
      code: 'empty_answer',
      title: 'the answer is empty',
    } as const;
    return failureOf(provider, rule, '');
  }
  return answer;
}
