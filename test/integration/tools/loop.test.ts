/** The tool loop against a server that behaves as badly as a model can: bounded, clear, confined. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defineTool, loadTools, type Tool } from '../../../core/tools/index.ts';
import { agentOf } from '../../support/runtime-fakes.ts';
import { runAgainst, type Turn, toldIn } from '../../support/servers/tool-server.ts';
import { folderWith } from '../../unit/tools/knowledge-folder.ts';

const builtIn = await loadTools({ dir: '/', tools: ['search_files', 'read_file'] });
const knowledge = [{ include: ['docs/**'], exclude: [], chunkSize: 400 }];
const agent = agentOf({ tools: ['search_files', 'read_file'], knowledge });

const canary = 'the canary sings at midnight';
const folder = () =>
  folderWith({
    'docs/mill.md': 'The mill burned in the winter of 1901.\n',
    'secret.md': canary,
    '.env': canary,
  });

/** A tool whose calls are counted. */
function counted(run: Tool['run'], name = 'probe') {
  const calls: unknown[] = [];
  const tool = defineTool({
    name,
    description: 'Probes.',
    parameters: {
      type: 'object',
      additionalProperties: false,
      properties: { n: { type: 'integer', default: 7 }, text: { type: 'string' } },
    },
    run: (args, context) => {
      calls.push(args);
      return run(args, context);
    },
  });
  return { tool, calls };
}

describe('a model that uses its tools well', () => {
  test('gets their results in order, pays for each step, and leaves a record', async () => {
    const turns: Turn[] = [
      [
        ['search_files', '{"query":"mill"}'],
        ['read_file', '{"path":"docs/mill.md"}'],
      ],
      'It burned in 1901.',
    ];
    const { result, calls, root, provenance } = await runAgainst(turns, {
      agent,
      tools: builtIn,
      baseDir: folder(),
    });
    expect(result).toMatchObject({ ok: true, usage: { calls: 2 } });
    expect(await readFile(join(root, 'note.md'), 'utf8')).toBe('It burned in 1901.\n');
    expect(calls[0]?.tools).toHaveLength(2);
    const [asked, ...answers] = calls[1]!.messages.slice(2);
    expect(asked).toMatchObject({
      role: 'assistant',
      tool_calls: [{ id: 'call_1_0' }, { id: 'call_1_1' }],
    });
    expect(answers.map((message) => message.tool_call_id)).toEqual(['call_1_0', 'call_1_1']);
    expect(JSON.parse(answers[0]!.content).passages[0]).toMatchObject({ path: 'docs/mill.md' });
    expect(JSON.parse(answers[1]!.content).text).toContain('winter of 1901');
    expect(provenance?.['toolCalls']).toMatchObject([
      { tool: 'search_files', arguments: '{"query":"mill"}', ok: true },
      { tool: 'read_file', ok: true },
    ]);
  });

  test('passes a secret input on, and no record or kept prompt of the job has it', async () => {
    const secret = 'S3CRET-4711-value';
    const { tool, calls: made } = counted(async ({ text }) => `used ${String(text)}`);
    const turns: Turn[] = [[['probe', JSON.stringify({ text: secret })]], 'Done.'];
    const text = { type: 'string', 'x-aiq': { secret: true } };
    const schema = { type: 'object', required: ['text'], properties: { text } };
    const { result, calls, provenance, sent } = await runAgainst(turns, {
      agent: agentOf({ tools: ['./probe.js'], input: { schema, primary: 'text', schemaLine: 1 } }),
      tools: [tool],
      input: { text: secret },
      baseDir: folder(),
    });
    expect(result).toMatchObject({ ok: true });
    expect(made).toEqual([{ n: 7, text: secret }]);
    expect(calls[0]?.messages[1]?.content).toBe(secret);
    expect(provenance?.['toolCalls']).toMatchObject([{ arguments: '{"text":"[secret]"}' }]);
    const kept = JSON.stringify(sent);
    expect(kept).toContain('used [secret]');
    expect(kept + JSON.stringify(provenance)).not.toContain(secret);
  });

  test('gets defaults filled in, and the first result again for the same question', async () => {
    const { tool, calls: made } = counted(async () => 'done');
    const turns: Turn[] = [
      [
        ['probe', '{}'],
        ['probe', ' '],
      ],
      [
        ['probe', '{"n":7}'],
        ['probe', '{"n":8}'],
      ],
      'ok',
    ];
    const { result, calls } = await runAgainst(turns, { agent, tools: [tool], baseDir: folder() });
    expect(result.ok).toBe(true);
    expect(made).toEqual([{ n: 7 }, { n: 8 }]);
    expect(toldIn(calls[2])).toEqual(['done', 'done']);
  });
});

describe('a model that uses its tools badly', () => {
  test('is told what is wrong with each call, and can still answer', async () => {
    const { tool } = counted(async ({ text }) => {
      if (text === 'throw') throw new Error('the disk is full');
      return text === 'nothing' ? (undefined as never) : 'fine';
    });
    const turns: Turn[] = [
      [
        ['format_disk', '{}'],
        ['probe', '{"n": '],
        ['probe', '[1]'],
        ['probe', '{"n":"seven","m":1}'],
        ['probe', '{"__proto__":{"n":1}}'],
        ['probe', `{"text":"${'x'.repeat(70_000)}"}`],
        ['probe', '{"text":"throw"}'],
        ['probe', '{"text":"nothing"}'],
        ['probe', '{"text":"good"}'],
      ],
      'done',
    ];
    const { result, calls } = await runAgainst(turns, { agent, tools: [tool], baseDir: folder() });
    expect(result.ok).toBe(true);
    expect(toldIn(calls[1])).toEqual([
      'Error: there is no tool "format_disk"; there is probe',
      expect.stringMatching(/^Error: the arguments are not JSON/),
      expect.stringMatching(/^Error: the arguments do not fit/),
      expect.stringMatching(
        /^Error: the arguments do not fit: m unknown property.*; n "seven" is not/,
      ),
      expect.stringMatching(/^Error: the arguments do not fit: .*__proto__/),
      'Error: the arguments are too long',
      'Error: the disk is full',
      'Error: the tool returned nothing',
      'fine',
    ]);
  });

  test('is told of whatever a tool throws, also of what cannot be shown', async () => {
    const unshowable = 'Error: something that cannot be shown was thrown';
    const thrown: readonly (readonly [() => unknown, string])[] = [
      [() => 'a text', 'Error: a text'],
      [() => null, 'Error: null'],
      [() => Object.create(null) as object, unshowable],
      [
        () => ({
          toString: () => {
            throw new Error('no');
          },
        }),
        unshowable,
      ],
      [
        () =>
          Object.defineProperty(new Error('x'), 'message', {
            get: () => {
              throw new Error('no');
            },
          }),
        unshowable,
      ],
      [() => Object.assign(new Error('x'), { message: { a: 1 } }), 'Error: [object Object]'],
    ];
    const { tool } = counted(async ({ n }) => {
      throw thrown[Number(n)]?.[0]();
    });
    const turns: Turn[] = [thrown.map((_, n) => ['probe', `{"n":${n}}`] as const), 'done'];
    const { result, calls } = await runAgainst(turns, { agent, tools: [tool], baseDir: folder() });
    expect(result.ok).toBe(true);
    expect(toldIn(calls[1])).toEqual(thrown.map(([, told]) => told));
  });

  test('reads nothing outside the knowledge, however it spells the path', async () => {
    const paths = [
      '../secret.md',
      'secret.md',
      '.env',
      'docs/../secret.md',
      '/etc/passwd',
      'docs/mill.md/../../secret.md',
      'docs/%2e%2e/secret.md',
      'file:///etc/passwd',
      '/proc/self/environ',
    ];
    const turns: Turn[] = [
      [
        ...paths.map((path) => ['read_file', JSON.stringify({ path })] as const),
        ['search_files', '{"query":"canary midnight"}'],
      ],
      'done',
    ];
    const { calls } = await runAgainst(turns, { agent, tools: builtIn, baseDir: folder() });
    const told = toldIn(calls[1]);
    expect(told).toHaveLength(paths.length + 1);
    for (const line of told.slice(0, -1)) expect(line).toMatch(/^Error: .* none of the files/);
    expect(JSON.stringify(calls)).not.toContain(canary);
    expect(JSON.stringify(calls)).not.toContain('root:');
  });

  test('and never stops is asked once for its answer without tools, then given up for good', async () => {
    const { tool, calls: made } = counted(async ({ n }) => `result ${String(n)}`);
    const endless = (_: unknown, count: number): Turn => [['probe', `{"n":${count}}`]];
    const limited = { ...agent, limits: { ...agent.limits, maxSteps: 4 } };
    const { result, calls } = await runAgainst(endless, {
      agent: limited,
      tools: [tool],
      baseDir: folder(),
    });
    expect(result).toMatchObject({
      ok: false,
      failure: { class: 'permanent', code: 'too_many_steps' },
      usage: { calls: 4 },
    });
    expect(made).toHaveLength(3);
    expect(calls.map((call) => call.tool_choice)).toEqual([
      undefined,
      undefined,
      undefined,
      'none',
    ]);
    expect(calls[3]?.messages.at(-1)).toMatchObject({
      role: 'user',
      content: expect.stringContaining('final answer now'),
    });
  });

  test('and answers when the tools are taken away is done', async () => {
    const { tool } = counted(async () => 'more');
    const obeys = (call: { tool_choice?: string }, count: number): Turn =>
      call.tool_choice === 'none' ? 'At last.' : [['probe', `{"n":${count}}`]];
    const limited = { ...agent, limits: { ...agent.limits, maxSteps: 3 } };
    const options = { agent: limited, tools: [tool], baseDir: folder() };
    expect((await runAgainst(obeys, options)).result).toMatchObject({
      ok: true,
      usage: { calls: 3 },
    });
  });

  test('and asks for too much gets no more than fits', async () => {
    const { tool, calls: made } = counted(async ({ n }) => `${String(n)}${'é'.repeat(40_000)}`);
    const twenty = Array.from({ length: 20 }, (_, n) => ['probe', `{"n":${n}}`] as const);
    const { result, calls } = await runAgainst([twenty, 'done'], {
      agent,
      tools: [tool],
      baseDir: folder(),
    });
    expect(result.ok).toBe(true);
    expect(made).toHaveLength(16);
    const told = toldIn(calls[1]);
    expect(told[0]).toMatch(/^0é+\n\[cut here: 80001 bytes in all\]$/);
    // The calls that were not made are not paid for again either.
    expect(told).toHaveLength(16);
    expect(calls[1]?.messages.at(-1)?.content).toMatch(/Only 16 .* the other 4 were not made/);
    const bytes = told.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    expect(bytes).toBeLessThan(260 * 1024);
    expect(
      told.filter((text) => text.includes('room for results is used up')).length,
    ).toBeGreaterThan(5);
  });
});

test('a stopped attempt does not wait for a tool that ignores it', async () => {
  const stop = new AbortController();
  const { tool } = counted(() => {
    setImmediate(() => stop.abort(new Error('stopped')));
    return new Promise<string>(() => {});
  });
  const { result } = await runAgainst([[['probe', '{}']]], {
    agent,
    tools: [tool],
    baseDir: folder(),
    signal: stop.signal,
  });
  expect(result).toMatchObject({ ok: false, failure: { message: 'stopped' }, usage: { calls: 1 } });
});
