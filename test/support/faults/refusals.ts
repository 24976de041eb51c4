/** What a server refuses: throttling, keys, models, parameters, bad samples. */

import { answerOf, type Fault, type FaultEnd, inTurn, page, refusing, status } from './fault.ts';

const slow = { error: { message: 'slow down' } };
const goodAfter = (first: Fault['answer']): Fault['answer'] => inTurn(first, answerOf('Good.'));

function throttled(name: string, answer: Fault['answer']): Fault {
  return { name, group: 'throttling', answer: goodAfter(answer), end: 'done', calls: 2 };
}

function refused(name: string, answer: Fault['answer'], end: FaultEnd, calls = 1): Fault {
  return { name, group: 'refusals', answer, end, calls };
}

const region = {
  error: {
    message: 'Country, region, or territory not supported',
    code: 'unsupported_country_region_territory',
  },
};
const html = page(403, 'text/html', '<h1>Sorry, you have been blocked</h1>');
const ttl = 'Request too large for gpt on tokens per min (TPM): Limit 30000, Requested 52000.';

export const refusals: readonly Fault[] = [
  throttled('429 with seconds', status(429, slow, { 'retry-after': '2' })),
  throttled(
    '429 with a date',
    status(429, slow, { 'retry-after': new Date(Date.now() + 3000).toUTCString() }),
  ),
  throttled('429 with milliseconds', status(429, slow, { 'retry-after-ms': '700' })),
  throttled(
    '429 with a reset',
    status(429, slow, { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '1.5s' }),
  ),
  throttled('429 without a time', status(429, slow)),
  throttled('429 with 0', status(429, slow, { 'retry-after': '0' })),
  throttled('429 as a page', page(429, 'text/html', '<h1>Too many requests</h1>')),
  throttled('503 with Retry-After', status(503, slow, { 'retry-after': '1' })),
  throttled(
    '529 overloaded_error',
    status(529, { error: { message: 'Overloaded', type: 'overloaded_error' } }),
  ),
  refused('503 bare', status(503, slow), 'again overloaded', 3),
  refused('529 without a body', page(529, 'text/plain', ''), 'again overloaded', 3),
  refused(
    '429 request too large',
    status(429, { error: { message: ttl, code: 'rate_limit_exceeded' } }),
    'dead request_above_limit',
  ),
  refused(
    'insufficient_quota',
    status(429, { error: { message: 'pay', code: 'insufficient_quota' } }),
    'held quota_exhausted',
  ),
  refused('402', status(402, { error: { message: 'no credit' } }), 'held quota_exhausted'),
  refused(
    '401 that echoes the key',
    status(401, { error: { message: 'Incorrect API key provided: sk-canary-0123456789abcdef' } }),
    'held unauthorized',
  ),
  refused('403 region', status(403, region), 'held region_refused'),
  refused(
    '403 moderation',
    status(403, { error: { message: 'flagged', metadata: { reasons: ['violence'] } } }),
    'dead content_filter',
  ),
  refused('403 firewall page', html, 'suspect forbidden'),
  refused(
    '404 model',
    status(404, { error: { message: 'The model x does not exist', code: 'model_not_found' } }),
    'held model_not_found',
  ),
  refused('404 page', page(404, 'text/html', '<h1>Not found</h1>'), 'held not_a_model_endpoint'),
  refused(
    'redirect',
    (response) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
    'held redirected',
  ),
  refused('200 page', page(200, 'text/html', '<h1>Sign in</h1>'), 'held not_a_model_endpoint', 3),
  refused('200 JSON that is no answer', status(200, { ok: true }), 'held not_a_model_endpoint', 3),
  refused(
    '400 context, OpenAI',
    status(400, { error: { message: 'too long', code: 'context_length_exceeded' } }),
    'dead context_length_exceeded',
  ),
  refused(
    '400 context, vLLM',
    status(400, {
      object: 'error',
      message: "This model's maximum context length is 4096 tokens.",
      code: 400,
    }),
    'dead context_length_exceeded',
  ),
  refused(
    '400 context, llama.cpp',
    status(400, {
      error: {
        code: 400,
        message: 'the request exceeds the available context size',
        type: 'exceed_context_size_error',
      },
    }),
    'dead context_length_exceeded',
  ),
  refused('400 of something else', status(400, { error: { message: 'no' } }), 'dead bad_request'),
  refused(
    'bad sample, then a good one',
    goodAfter(
      status(400, { error: { message: 'Failed to validate JSON.', code: 'json_validate_failed' } }),
    ),
    'done',
    2,
  ),
  refused(
    'bad samples',
    status(400, { error: { message: 'Failed to call a function.', code: 'tool_use_failed' } }),
    'dead bad_sample',
    3,
  ),
];

type Body = Parameters<Parameters<typeof refusing>[0]>[0];
const has = (name: string) => (body: Body) => name in body;
const hasSystem = ({ messages }: Body): boolean => JSON.stringify(messages).includes('"system"');
const group = 'ways around';
const jsonAnswer = answerOf('{"n":1,"list":[1,2]}');

function around(
  name: string,
  answer: Fault['answer'],
  calls: number,
  agent: Fault['agent'] = 'text',
): Fault {
  return { name: `refused ${name}`, group, answer, agent, end: 'done', calls };
}

export const waysAround: readonly Fault[] = [
  around(
    'max_completion_tokens',
    refusing(has('max_completion_tokens'), 'Unrecognized request argument: max_completion_tokens'),
    2,
    'tuned',
  ),
  around(
    'limit too high',
    refusing(
      ({ max_completion_tokens: max }) => Number(max) > 16_384,
      'max_tokens is too large: this model supports at most 16384',
    ),
    2,
    'tuned',
  ),
  around(
    'temperature',
    refusing(has('temperature'), "Unsupported value: 'temperature'", { param: 'temperature' }),
    2,
    'tuned',
  ),
  around(
    'stream_options',
    refusing(has('stream_options'), 'Extra inputs: stream_options', { code: 422 }),
    2,
  ),
  around(
    'stream',
    refusing(
      ({ stream }) => stream === true,
      'Your organization must be verified to stream this model.',
      { param: 'stream' },
      status(200, { choices: [{ message: { content: 'Good.' }, finish_reason: 'stop' }] }),
    ),
    2,
  ),
  around('system role', refusing(hasSystem, 'System role not supported'), 2),
  around(
    'strict schema',
    refusing(
      ({ response_format: format }) => JSON.stringify(format).includes('"strict":true'),
      'strict is not supported',
      {},
      jsonAnswer,
    ),
    2,
    'strict',
  ),
  around(
    'json_schema',
    refusing(
      ({ response_format: format }) => JSON.stringify(format).includes('json_schema'),
      'response_format json_schema is not supported',
      {},
      jsonAnswer,
    ),
    2,
    'json',
  ),
  around(
    'response_format',
    refusing(
      has('response_format'),
      'response_format is not supported',
      { param: 'response_format' },
      jsonAnswer,
    ),
    3,
    'json',
  ),
  around('tools', refusing(has('tools'), 'this model does not support tools'), 2, 'tools'),
];
