/** The same jobs against two mock servers that others wrote, so that not only our idea of a server is tried. */

import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LLMock } from '@copilotkit/aimock';
import { createServer } from '@dwmkerr/mock-llm/dist/server.js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { FaultAgent, FaultEnd } from '../../support/faults/index.ts';
import { runIntoFault } from '../../support/servers/fault-run.ts';
import { providerAt } from './fake-server.ts';

const root = await mkdtemp(join(tmpdir(), 'aiq-others-'));
let aimock: LLMock;
let mockLlm: Server;

const json = '{"n":1,"list":[1,2]}';
/** In a stream a refusal has no status, so its code is all that tells. */
const errors = [
  [401, { message: 'no', type: 'invalid_request_error', code: 'invalid_api_key' }],
  [429, { message: 'slow down', type: 'rate_limit_error', code: 'rate_limit_exceeded' }],
  [500, { message: 'oops', type: 'server_error' }],
] as const;

interface Row {
  readonly model: string;
  readonly agent: FaultAgent;
  readonly end: FaultEnd;
  /** Model calls in the account. */
  readonly calls: number;
  readonly content: string | null;
}

const shared: readonly Row[] = [
  { model: 'text', agent: 'text', end: 'done', calls: 1, content: 'Good: "day" {x}.\n' },
  { model: 'think', agent: 'text', end: 'done', calls: 1, content: 'Good.\n' },
  {
    model: 'json',
    agent: 'json',
    end: 'done',
    calls: 1,
    content: '{\n  "n": 1,\n  "list": [\n    1,\n    2\n  ]\n}\n',
  },
  {
    model: 'fence',
    agent: 'json',
    end: 'done',
    calls: 1,
    content: '{\n  "n": 1,\n  "list": [\n    1,\n    2\n  ]\n}\n',
  },
  { model: '401', agent: 'text', end: 'held unauthorized', calls: 0, content: null },
  { model: '429', agent: 'text', end: 'again rate_limited', calls: 0, content: null },
  { model: '500', agent: 'text', end: 'again server_error', calls: 0, content: null },
];

beforeAll(async () => {
  aimock = new LLMock({ port: 0 });
  const answers = {
    text: 'Good: "day" {x}.',
    think: '<think>Hm.</think>\n\nGood.',
    json,
    fence: `\`\`\`json\n${json}\n\`\`\``,
  };
  for (const [model, content] of Object.entries(answers)) aimock.on({ model }, { content });
  aimock.on({ model: 'cut' }, { content: 'Half of', finishReason: 'length' });
  aimock.on({ model: 'filtered' }, { content: 'Half of', finishReason: 'content_filter' });
  for (const [status, error] of errors) aimock.on({ model: String(status) }, { error, status });
  const call = { name: 'probe', arguments: '{"q":1}' };
  aimock.on(
    { model: 'tools', hasToolResult: false },
    { toolCalls: [call, { ...call, arguments: '{"q":2}' }] },
  );
  aimock.on({ model: 'tools', hasToolResult: true }, { content: 'Found.' });
  await aimock.start();

  // It tells each request on standard output.
  vi.spyOn(console, 'log').mockImplementation(() => undefined);
  const rule = (model: string, status: number, body: object) => ({
    path: '/v1/chat/completions',
    match: `body.model == '${model}'`,
    response: { status, content: JSON.stringify(body) },
  });
  const whole = (content: string) => ({
    id: 'x',
    object: 'chat.completion',
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
  });
  const rules = [
    ...Object.entries(answers).map(([model, content]) => rule(model, 200, whole(content))),
    ...errors.map(([status, error]) => rule(String(status), status, { error })),
  ];
  const app = createServer(
    { streaming: { chunkSize: 5, chunkIntervalMs: 1 }, rules },
    '127.0.0.1',
    0,
  );
  await new Promise<void>((resolve) => {
    mockLlm = app.listen(0, '127.0.0.1', () => resolve());
  });
});

afterAll(async () => {
  await aimock.stop();
  mockLlm.close();
  mockLlm.closeAllConnections();
  await rm(root, { recursive: true });
});

async function expectRow(where: string, baseURL: string, row: Row): Promise<void> {
  const dir = join(root, `${where}-${row.model}`);
  const run = await runIntoFault({ name: row.model, agent: row.agent }, providerAt(baseURL), dir);
  expect(run, run.message).toMatchObject({
    end: row.end,
    content: row.content,
    usage: { calls: row.calls },
  });
}

describe('@copilotkit/aimock', () => {
  test.each([
    ...shared,
    // The other one ends every stream with `stop`.
    { model: 'filtered', agent: 'text', end: 'dead content_filter', calls: 1, content: null },
    { model: 'cut', agent: 'text', end: 'dead output_truncated', calls: 2, content: null },
    { model: 'tools', agent: 'tools', end: 'done', calls: 2, content: 'Found.\n' },
  ] satisfies readonly Row[])('$model', (row) => expectRow('aimock', `${aimock.url}/v1`, row));
});

describe('@dwmkerr/mock-llm', () => {
  test.each(shared)('$model', (row) =>
    expectRow('mock-llm', `http://127.0.0.1:${(mockLlm.address() as AddressInfo).port}/v1`, row),
  );
});
