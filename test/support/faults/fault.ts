/** One way in which a server of models fails, or only looks odd; and what a job must make of it. */

import { type Answer, delta, sse } from '../../integration/model/fake-server.ts';

/** `text` and `json` say what they are; `tools` has one tool of its own, `strict` a closed schema. */
export type FaultAgent = 'text' | 'json' | 'files' | 'tools' | 'tuned' | 'limited' | 'strict';

/**
 * How the job ends: `done`, or `dead CODE`. Else nothing is charged: `again CODE` comes back after a
 * pause, `held CODE` once a person mended it, `suspect CODE` behind all others.
 */
export type FaultEnd = 'done' | `${'dead' | 'again' | 'held' | 'suspect'} ${string}`;

export interface Fault {
  /** Also the model id that asks for it. */
  readonly name: string;
  readonly group: string;
  /** What the server does; `count` is the number of the request, from 1. */
  readonly answer: Answer;
  readonly agent?: FaultAgent;
  /**
   * For one attempt, and for silence in an answer; default long enough for a machine that is paused.
   * A call that is broken off for its time may not have reached the server: the account has it.
   */
  readonly timeoutMs?: number;
  readonly idleMs?: number;
  readonly end: FaultEnd;
  /** Requests until then. */
  readonly calls: number;
  /** Text that the job's file must be; for `json` the value. */
  readonly result?: unknown;
  /** Least that must be in the account. */
  readonly usage?: object;
}

export const usage = { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 };
export const usageEvent = { choices: [], usage };

/** A stream of these events, ended well. */
export function stream(...events: readonly unknown[]): Answer {
  return (response) => {
    sse(response, events);
    response.end();
  };
}

/** A whole answer in one piece. */
export function answerOf(text: unknown, finish = 'stop', more: object = {}): Answer {
  return stream(delta({ content: text, ...more }), delta({}, finish), usageEvent, '[DONE]');
}

/** Another answer for each request; the last one for all that follow. */
export function inTurn(...answers: readonly Answer[]): Answer {
  return (response, seen, count) => (answers[count - 1] ?? answers.at(-1))?.(response, seen, count);
}

export function status(
  code: number,
  error: unknown,
  headers: { readonly [name: string]: string } = {},
): Answer {
  return (response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(error));
  };
}

/** A body that is no JSON. */
export function page(code: number, type: string, body: string): Answer {
  return (response) => {
    response.writeHead(code, { 'content-type': type });
    response.end(body);
  };
}

/** Answers well once the request has no such property, and refuses it until then. */
export function refusing(
  isRefused: (body: { readonly [name: string]: unknown }) => boolean,
  message: string,
  { code = 400, ...error }: { readonly code?: number; readonly param?: string } = {},
  good: Answer = answerOf('Good.'),
): Answer {
  return (response, seen, count) =>
    isRefused(seen.body)
      ? status(code, { error: { message, ...error } })(response, seen, count)
      : good(response, seen, count);
}
