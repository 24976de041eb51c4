/** What the failure of a request says about its price. */

import { expect, it } from 'vitest';
import {
  type CallEnd,
  callEndOf,
  type FailureClass,
  ModelError,
} from '../../../core/model/index.ts';

type Options = ConstructorParameters<typeof ModelError>[3];
const usage = { inputTokens: 1, outputTokens: 1, estimated: false };

const rows: readonly [what: string, FailureClass, code: string, Options, CallEnd][] = [
  ['no connection was made', 'unavailable', 'connection_failed', { isSent: false }, 'unsent'],
  ['the connection broke', 'unavailable', 'connection_failed', {}, 'unknown'],
  [
    'its certificate is not trusted',
    'unavailable',
    'certificate_untrusted',
    { isSent: false },
    'unsent',
  ],
  ['it was stopped before it was sent', 'aborted', 'aborted', { isSent: false }, 'unsent'],
  ['it was stopped', 'aborted', 'aborted', {}, 'unknown'],
  ['it took too long', 'unavailable', 'deadline', {}, 'unknown'],
  ['the server went silent', 'unavailable', 'stream_idle', {}, 'unknown'],
  ['the stream was cut', 'unavailable', 'stream_cut', {}, 'unknown'],
  [
    'an estimate is no usage',
    'unavailable',
    'stream_cut',
    { usage: { ...usage, estimated: true } },
    'unknown',
  ],
  ['the answer said what it used', 'permanent', 'content_filter', { usage }, 'settled'],
  ['a refusal said what it used', 'transient', 'bad_sample', { status: 400, usage }, 'settled'],
  ['too many requests', 'throttled', 'rate_limited', { status: 429 }, 'unsent'],
  ['no credit', 'exhausted', 'quota_exhausted', { status: 402 }, 'unsent'],
  ['a wrong key', 'misconfigured', 'unauthorized', { status: 401 }, 'unsent'],
  ['no such model', 'misconfigured', 'model_not_found', { status: 404 }, 'unsent'],
  ['a refused parameter', 'permanent', 'bad_request', { status: 400 }, 'unsent'],
  ['a refused parameter, in a stream', 'permanent', 'bad_request', {}, 'unsent'],
  ['too many requests, in a stream', 'throttled', 'rate_limited', {}, 'unsent'],
  ['what no server can', 'unavailable', 'server_error', { status: 501 }, 'unsent'],
  ['a server error', 'unavailable', 'server_error', { status: 500 }, 'unknown'],
  ['a server error, in a stream', 'unavailable', 'server_error', {}, 'unknown'],
  ['a gateway that gave up', 'unavailable', 'server_error', { status: 504 }, 'unknown'],
  ['an overloaded server', 'throttled', 'overloaded', { status: 503 }, 'unknown'],
  ['a server that gave up', 'unavailable', 'server_timeout', { status: 408 }, 'unknown'],
  ['a proxy that gave up', 'permanent', 'bad_request', { status: 499 }, 'unknown'],
  ['a filter that read the prompt', 'permanent', 'content_filter', { status: 400 }, 'unknown'],
  ['a prompt that is too long', 'permanent', 'context_length_exceeded', { status: 400 }, 'unknown'],
  ['what the model wrote was refused', 'transient', 'bad_sample', { status: 400 }, 'unknown'],
  ['a wrong address', 'misconfigured', 'not_a_model_endpoint', {}, 'unsent'],
  ['a page where answers came before', 'unavailable', 'not_a_model_endpoint', {}, 'unknown'],
  ['an address that moved', 'misconfigured', 'redirected', {}, 'unsent'],
  ['a stream that cannot be read', 'unavailable', 'bad_stream', {}, 'unknown'],
  ['anything else', 'transient', 'never_heard_of', {}, 'unknown'],
];

it.each(rows.map(([what, ...row]) => [what, row] as const))('%s', (_, row) => {
  const [failure, code, options, end] = row;
  expect(callEndOf(new ModelError(failure, code, 'why', options))).toBe(end);
});
