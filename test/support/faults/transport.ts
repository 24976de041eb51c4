/** What happens to the bytes: connections, streams, encodings, floods; and the calls of tools. */

import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { delta, sse } from '../../integration/model/fake-server.ts';
import {
  answerOf,
  type Fault,
  type FaultEnd,
  inTurn,
  status,
  stream,
  usage,
  usageEvent,
} from './fault.ts';

const halfEvent = delta({ content: 'Half of' });

function soon(work: () => void): void {
  setTimeout(work, 50);
}

function bytes(name: string, answer: Fault['answer'], end: FaultEnd, calls: number): Fault {
  return { name, group: 'transport', answer, end, calls };
}

/** Nothing but the end of its time ends such an attempt. */
function late(name: string, answer: Fault['answer']): Fault {
  return { ...bytes(name, answer, 'dead timeout', 3), timeoutMs: 1_000 };
}

function paced(response: ServerResponse, piece: string, everyMs: number): void {
  const timer = setInterval(() => response.write(piece), everyMs);
  response.on('close', () => clearInterval(timer));
}

/** An answer as bytes of a stream. */
function eventText(lineEnd = '\n'): string {
  const events = [
    delta({ content: 'Größe ' }),
    delta({ content: '€5.' }),
    delta({}, 'stop'),
    usageEvent,
  ];
  return [...events.map((event) => `data: ${JSON.stringify(event)}`), 'data: [DONE]', ''].join(
    `${lineEnd}${lineEnd}`,
  );
}

function raw(name: string, send: (response: ServerResponse) => unknown): Fault {
  return { ...bytes(name, send, 'done', 1), result: 'Größe €5.\n' };
}

const type = { 'content-type': 'text/event-stream' };

export const transport: readonly Fault[] = [
  bytes('500', status(500, { error: { message: 'oops' } }), 'again server_error', 3),
  bytes(
    'reset before the answer',
    (response) => response.socket?.resetAndDestroy(),
    'again connection_failed',
    3,
  ),
  bytes(
    'reset in the middle',
    (response) => {
      sse(response, [halfEvent]);
      soon(() => response.socket?.resetAndDestroy());
    },
    'again connection_failed',
    3,
  ),
  bytes('end in the middle', stream(halfEvent), 'again stream_cut', 3),
  bytes('[DONE] without a finish reason', stream(halfEvent, '[DONE]'), 'again stream_cut', 3),
  bytes('usage and nothing else', stream(usageEvent, '[DONE]'), 'again stream_cut', 3),
  {
    ...bytes('silence in the middle', (r) => sse(r, [halfEvent]), 'again stream_idle', 3),
    idleMs: 1_500,
  },
  late('silence before the answer', () => {}),
  late('comments for ever', (response) => {
    sse(response, []);
    paced(response, ': waiting\n\n', 100);
  }),
  bytes('broken JSON in the stream', stream('{"choices": ['), 'again bad_stream', 3),
  bytes(
    'error in the middle',
    stream(halfEvent, { error: { message: 'oops', code: 502 } }),
    'again server_error',
    3,
  ),
  bytes(
    '200 with an error',
    status(200, { error: { message: 'oops', code: 502 } }),
    'again server_error',
    3,
  ),
  bytes('cut, then whole', inTurn(stream(halfEvent), answerOf('Good.')), 'done', 2),
  bytes('no [DONE]', stream(delta({ content: 'Good.' }), delta({}, 'stop'), usageEvent), 'done', 1),
  bytes('no usage', stream(delta({ content: 'Good.' }), delta({}, 'stop'), '[DONE]'), 'done', 1),
  bytes(
    'left open',
    (response) => sse(response, [delta({ content: 'Good.' }), delta({}, 'stop')]),
    'done',
    1,
  ),
  bytes(
    'no stream',
    status(200, { choices: [{ message: { content: 'Good.' }, finish_reason: 'stop' }], usage }),
    'done',
    1,
  ),
  bytes(
    'endless text',
    (response) => {
      sse(response, []);
      paced(response, `data: ${JSON.stringify(delta({ content: 'x'.repeat(60_000) }))}\n\n`, 1);
    },
    'dead answer_too_long',
    1,
  ),
  bytes(
    'endless JSON in short lines',
    (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      paced(response, ' \n'.repeat(300_000), 1);
    },
    'dead answer_too_long',
    1,
  ),
  bytes(
    'endless event in short lines',
    (response) => {
      sse(response, []);
      paced(response, 'data: {\n'.repeat(100_000), 1);
    },
    'dead answer_too_long',
    1,
  ),
  raw('lines end with CRLF', (response) => response.writeHead(200, type).end(eventText('\r\n'))),
  raw('gzip', (response) =>
    response.writeHead(200, { ...type, 'content-encoding': 'gzip' }).end(gzipSync(eventText())),
  ),
  raw('comments before the answer', (response) =>
    response.writeHead(200, type).end(`: PROCESSING\n\n${eventText()}`),
  ),
  raw('byte order mark', (response) => response.writeHead(200, type).end(`\uFEFF${eventText()}`)),
  raw('byte by byte', async (response) => {
    response.writeHead(200, type);
    for (const byte of Buffer.from(eventText())) {
      response.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    response.end();
  }),
  raw('connection closed after each answer', (response) =>
    response.writeHead(200, { ...type, connection: 'close' }).end(eventText()),
  ),
  raw('first chunk without choices (Azure)', (response) =>
    response
      .writeHead(200, type)
      .end(`data: {"choices":[],"prompt_filter_results":[]}\n\n${eventText()}`),
  ),
];

const call = (fields: object): object => delta({ tool_calls: [fields] });
const find = (q: number): object => ({ name: 'probe', arguments: `{"q":${q}}` });
const called = delta({}, 'tool_calls');

/** First the calls, then an answer that says which results came back. */
function tools(name: string, pieces: readonly object[], told: RegExp): Fault {
  const answer: Fault['answer'] = (response, seen, count) => {
    if (count === 1) return stream(...pieces, called, usageEvent)(response, seen, count);
    const results = JSON.stringify(seen.body['messages']);
    return answerOf(told.test(results) ? 'Good.' : `Bad: ${results}`)(response, seen, count);
  };
  return {
    name: `tools: ${name}`,
    group: 'tools',
    agent: 'tools',
    answer,
    end: 'done',
    calls: 2,
    result: 'Good.\n',
  };
}

const both = /found 1.*found 2/s;

export const toolFaults: readonly Fault[] = [
  tools(
    'in pieces',
    [
      call({ index: 0, id: 'a', function: { name: 'probe', arguments: '{"q"' } }),
      call({ index: 0, function: { arguments: ':1}' } }),
    ],
    /found 1/,
  ),
  tools(
    'side by side',
    [
      call({ index: 0, id: 'a', function: find(1) }),
      call({ index: 1, id: 'b', function: find(2) }),
    ],
    both,
  ),
  tools(
    'index 0 for all (Gemini)',
    [
      call({ index: 0, id: 'a', function: find(1) }),
      call({ index: 0, id: 'b', function: find(2) }),
    ],
    both,
  ),
  tools(
    'counted from 1',
    [
      call({ index: 1, id: 'a', function: find(1) }),
      call({ index: 2, id: 'b', function: find(2) }),
    ],
    both,
  ),
  tools(
    'no index',
    [call({ id: 'a', function: find(1) }), call({ id: 'b', function: find(2) })],
    both,
  ),
  tools(
    'empty ids',
    [call({ index: 0, id: '', function: find(1) }), call({ index: 1, id: '', function: find(2) })],
    both,
  ),
  tools(
    'arguments as an object',
    [call({ index: 0, id: 'a', function: { name: 'probe', arguments: { q: 1 } } })],
    /found 1/,
  ),
  tools(
    'broken arguments',
    [call({ index: 0, id: 'a', function: { name: 'probe', arguments: '{"q":' } })],
    /not JSON/,
  ),
  tools(
    'an integer that cannot be kept',
    [call({ index: 0, id: 'a', function: { name: 'probe', arguments: '{"q":9007199254740993}' } })],
    /q 9007199254740993 is more than/,
  ),
  tools(
    'an unknown tool',
    [call({ index: 0, id: 'a', function: { name: 'other', arguments: '{}' } })],
    /there is no tool/,
  ),
  tools(
    'forty at once',
    Array.from({ length: 40 }, (_, q) => call({ index: q, id: `c${q}`, function: find(q) })),
    /found 15.*the other 24 were not made/s,
  ),
  {
    name: 'tools: for ever',
    group: 'tools',
    agent: 'tools',
    answer: stream(call({ index: 0, id: 'a', function: find(1) }), called),
    end: 'dead too_many_steps',
    calls: 5,
  },
];
