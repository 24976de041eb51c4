/** One attempt at one job, with a scripted model and a real output folder: every way it can end. */

import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModelError } from '../../../core/model/index.ts';
import { AttemptError } from '../../../core/runtime/attempt/failure.ts';
import { readPrompts } from '../../../core/runtime/attempt/prompts.ts';
import type { Projection } from '../../../core/runtime/outputs/projection.ts';
import { outputsOf, projectionIn, publish } from '../../support/results.ts';
import { fakeJournal } from '../../support/runtime-fakes.ts';
import {
  type AgentParts,
  answer,
  type ScriptedRun,
  scriptedRun,
  type Turn,
} from '../../support/scripted-run.ts';

let root: string;
let projection: Projection;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'aiq-runner-'));
  projection = projectionIn(root);
});
afterEach(async () => {
  await projection.close();
  await rm(root, { recursive: true });
});

const run = (turns: readonly Turn[], options: ScriptedRun = {}) =>
  scriptedRun({ dir: root, projection }, turns, options);
const failure = (kind: string, code: string) => ({
  ok: false,
  failure: { class: kind, code },
});
const files = async () => (await readdir(root)).filter((name) => name !== '.aiq');
const jsonAgent: AgentParts = {
  output: {
    format: 'json',
    schema: { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } },
  },
};

describe('a job that goes well', () => {
  it('ends as a file, with provenance and what it cost', async () => {
    const { made, result, calls } = await run([{}]);
    expect(result).toMatchObject({ ok: true, root, files: ['note.md'], recovered: false });
    expect(result.usage).toEqual({
      calls: 1,
      inputTokens: 10,
      outputTokens: 5,
      cachedInputTokens: 0,
      reasoningTokens: 0,
      costMicros: 70,
      estimated: false,
    });
    expect(await readFile(join(root, 'note.md'), 'utf8')).toContain('the answer');
    expect(calls[0]?.messages.map(({ role, content }) => `${role}: ${content}`)).toEqual([
      'system: Echo the text.',
      'user: hello',
    ]);
    expect(made).toMatchObject({
      provenance: {
        agent: 'echo',
        agentDigest: 'ab'.repeat(32),
        model: 'test-model',
        provider: 'test',
        usage: { calls: 1 },
        attempt: 1,
      },
    });
    expect(readPrompts(made.prompts ?? new Uint8Array(0)).calls).toMatchObject([
      { attempt: 1, provider: 'test', messages: [{ role: 'system' }, { content: 'hello' }] },
    ]);
  });

  it('calls no model when the folder has its result, whoever wrote it', async () => {
    await publish(root, 'job1', { 'note.md': 'first' }, { model: 'm1' });
    const { result, calls } = await run([]);
    expect(calls).toEqual([]);
    expect(result).toMatchObject({ ok: true, recovered: true, model: 'm1', usage: { calls: 0 } });
    expect(await readFile(join(root, 'note.md'), 'utf8')).toBe('first');
  });
});

describe('before anything is bought', () => {
  it.each([
    ['an input that does not fit any more', { input: { text: '', more: 1 } }, 'input_invalid'],
    ['a body that is no job', { body: 'nonsense' }, 'bad_job'],
    [
      'a number that would become another',
      { body: '{"input":{"text":"x","id":9007199254740993}}' },
      'bad_job',
    ],
    [
      'a prompt over maxInputTokens',
      { agent: { limits: { maxInputTokens: 10 } }, input: { text: 'long '.repeat(100) } },
      'input_too_long',
    ],
  ])('refuses %s for good', async (_, options, code) => {
    const { result, calls } = await run([], options);
    expect(result).toMatchObject(failure('permanent', code));
    expect(calls).toEqual([]);
  });

  it('refuses a path that leaves the folder through a planted link', async () => {
    await symlink(tmpdir(), join(root, 'link'));
    const file = { text: 'link/{{job.source}}.md', file: 'agent.yaml', line: 1 };
    const { result, calls } = await run([], { agent: { output: { file } } });
    expect(result).toMatchObject(failure('permanent', 'path_invalid'));
    expect(calls).toEqual([]);
  });

  it('refuses a taken name when the agent says error', async () => {
    await writeFile(join(root, 'note.md'), 'mine');
    const { result, calls } = await run([], { agent: { output: { overwrite: 'error' } } });
    expect(result).toMatchObject(failure('permanent', 'exists'));
    expect(calls).toEqual([]);
  });
});

describe('an answer that does not do', () => {
  it('is asked for again, told what is wrong, and paid for', async () => {
    const { result, calls } = await run(
      [{ text: '{"n": "one"}' }, { text: 'no' }, { text: '{"n": 1}' }],
      {
        agent: jsonAgent,
      },
    );
    expect(result).toMatchObject({ ok: true, usage: { calls: 3, costMicros: 210 } });
    expect(calls[0]?.responseSchema?.name).toBe('echo');
    const [, , shown, complaint] = calls[1]!.messages;
    expect(shown).toEqual({ role: 'assistant', content: '{"n": "one"}' });
    expect(complaint?.content).toMatch(/n "one" is not a whole number/);
    expect(calls[2]?.messages).toHaveLength(4);
  });

  it('may hold other JSON than the answer, but not two answers, and nothing that broke off', async () => {
    const turns = [
      { text: 'Either {"n": 1} or {"n": 2}.' },
      { text: '```json\n{"n": 1, "more": [1, 2' },
      { text: 'First {"m": 1}, see [1]. Then {"n": 3}.' },
    ];
    const { result, calls } = await run(turns, { agent: jsonAgent });
    expect(result).toMatchObject({ ok: true, usage: { calls: 3 } });
    expect(calls[1]!.messages.at(-1)?.content).toContain('2 different answers');
    expect(calls[2]!.messages.at(-1)?.content).toContain('breaks off before its end');
    expect(JSON.parse(await readFile(join(root, 'note.md'), 'utf8'))).toEqual({ n: 3 });
  });

  it('is given up after two more tries', async () => {
    const bad = { text: '{"n": null}' };
    const { result, calls } = await run([bad, bad, bad], { agent: jsonAgent });
    expect(result).toMatchObject({
      ...failure('permanent', 'output_invalid'),
      usage: { calls: 3 },
    });
    expect(calls).toHaveLength(3);
    expect(await files()).toEqual([]);
  });

  it('gets more room once when it was cut, and is then given up', async () => {
    const cut = { finishReason: 'length' };
    const agent = { model: { id: null, provider: null, options: { maxOutputTokens: 100 } } };
    const saved = await run([cut, {}], { agent });
    expect(saved.result).toMatchObject({ ok: true, usage: { calls: 2 } });
    expect(saved.calls.map((call) => call.options.maxOutputTokens)).toEqual([100, 200]);
    const lost = await run([cut, cut], { agent, id: 'job2' });
    expect(lost.result).toMatchObject(failure('permanent', 'output_truncated'));
    expect(await files()).toEqual(['note.md']);
  });
});

describe('a prompt that the server cut', () => {
  const words = { text: 'word '.repeat(20_000) };
  const seen = (inputTokens: number) => ({
    usage: { inputTokens, outputTokens: 5, estimated: false },
  });

  it('gets no answer, and says how to give it room', async () => {
    const { result } = await run([seen(4_096)], { input: words });
    expect(result).toMatchObject({
      ...failure('permanent', 'prompt_truncated'),
      usage: { calls: 1 },
    });
    expect(await files()).toEqual([]);
  });

  it('is not suspected later: what is cached may not be counted', async () => {
    const turns = [
      { ...seen(26_000), text: 'no JSON' },
      { ...seen(40), text: '{"n":1}' },
    ];
    const { result } = await run(turns, { input: words, agent: jsonAgent });
    expect(result).toMatchObject({ ok: true });
  });

  it('is not sent where the configuration knows that it does not fit', async () => {
    const { result, calls } = await run([], {
      input: words,
      contextTokens: { 'test-model': 8_192 },
    });
    expect(result).toMatchObject(failure('permanent', 'context_length_exceeded'));
    expect(calls).toEqual([]);
  });
});

describe('a model that fails', () => {
  it('has its failed calls in the account', async () => {
    const usage = { inputTokens: 1000, outputTokens: 100, estimated: true };
    const error = new ModelError('transient', 'empty_answer', 'empty', { usage });
    const { result } = await run([error]);
    expect(result.usage).toMatchObject({ calls: 1, inputTokens: 1000, costMicros: 3000 });
  });

  it.each(['transient', 'throttled', 'misconfigured', 'permanent'] as const)(
    'ends the attempt with its own class (%s) and what the provider asked for',
    async (kind) => {
      const error = new ModelError(kind, 'the_code', 'why', { retryAfterMs: 1234 });
      const { result } = await run([error]);
      expect(result).toMatchObject({
        ok: false,
        failure: { class: kind, code: 'the_code', message: 'why', retryAfterMs: 1234 },
      });
      expect(await files()).toEqual([]);
    },
  );

  it('counts as transient when nobody knows what it was', async () => {
    const { result } = await run([new TypeError('undefined is not a function')]);
    expect(result).toMatchObject(failure('transient', 'internal_error'));
  });
});

describe('a job that was delivered before', () => {
  it('is not paid for twice, and its record says so', async () => {
    const journal = fakeJournal();
    const stop = new AbortController();
    const dies = async () => {
      stop.abort(new AttemptError('aborted', 'shutdown', 'stopped'));
      return answer({ text: 'paid once' });
    };
    await run([dies], { journal, signal: stop.signal });
    const { made, result, calls } = await run([], { journal, isRedelivery: true });
    expect(calls).toEqual([]);
    expect(result).toMatchObject({ ok: true, usage: { calls: 0, costMicros: 0 } });
    expect(await readFile(join(root, 'note.md'), 'utf8')).toContain('paid once');
    expect(made).toMatchObject({ provenance: { replayedCalls: 1, usage: { calls: 0 } } });
    expect(readPrompts(made.prompts ?? new Uint8Array(0)).calls).toHaveLength(1);
  });

  it('goes on behind the steps that were paid for', async () => {
    const journal = fakeJournal();
    const cut = new ModelError('transient', 'stream_cut', 'cut');
    const unfit = { text: '{"n":"one"}' };
    await run([unfit, cut], { agent: jsonAgent, journal });
    const { result, calls } = await run([{ text: '{"n":1}' }], {
      agent: jsonAgent,
      journal,
      isRedelivery: true,
    });
    expect(result).toMatchObject({ ok: true, usage: { calls: 1 } });
    expect(calls[0]?.messages.at(-2)?.content).toBe(unfit.text);
  });

  it('asks anew when its answers had led nowhere', async () => {
    const journal = fakeJournal();
    const unfit = { text: '{"n":"one"}' };
    const dead = await run([unfit, unfit, unfit], { agent: jsonAgent, journal });
    expect(dead.result).toMatchObject(failure('permanent', 'output_invalid'));
    const again = { agent: jsonAgent, journal, isRedelivery: true };
    const { result, calls } = await run([{ text: '{"n":1}' }], again);
    expect(result).toMatchObject({ ok: true });
    expect(calls).toHaveLength(1);
  });

  it('takes its answer once the name that was taken is free', async () => {
    const journal = fakeJournal();
    const agent: AgentParts = { output: { overwrite: 'error' } };
    const taking = async () => {
      await writeFile(join(root, 'note.md'), 'taken');
      return answer();
    };
    const refused = await run([taking], { agent, journal });
    expect(refused.result).toMatchObject(failure('permanent', 'exists'));
    await rm(join(root, 'note.md'));
    const { result } = await run([], { agent, journal, isRedelivery: true });
    expect(result).toMatchObject({ ok: true });
  });
});

describe('the files for the acknowledgement', () => {
  const filesOf = async (id: string, made: Awaited<ReturnType<typeof run>>['made']) => {
    if (!made.ok) throw new Error('it failed');
    const { output } = await projection.prepare(id, made);
    return output?.files.map(({ path, content }) => [path, Buffer.from(content).toString()]);
  };

  it('are those of the folder when it has the result, as long as nobody changed them', async () => {
    await run([{ text: 'the text' }]);
    const text = await readFile(join(root, 'note.md'), 'utf8');
    const again = await run([]);
    expect(await filesOf('job1', again.made)).toEqual([['note.md', text]]);
    await writeFile(join(root, 'note.md'), 'edited!!!!\n');
    expect(await filesOf('job1', (await run([])).made)).toBeUndefined();
  });

  it('have the content of each, however large', async () => {
    const agent: AgentParts = { output: { format: 'files' } };
    const wanted = [
      { path: 'a.md', content: 'one' },
      { path: 'b.md', content: 'x'.repeat(9 * 1024 * 1024) },
    ];
    const { made } = await run([{ text: JSON.stringify({ files: wanted }) }], { agent });
    expect(made.ok && made.files.map(({ content }) => content.length)).toEqual([
      3,
      9 * 1024 * 1024,
    ]);
  });
});

describe('an attempt that is stopped', () => {
  const untilStopped = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      const stop = (): void => reject(new Error('the call was aborted'));
      // On a slow machine the time may be over before the call begins.
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop);
    });

  it('says why, and publishes nothing', async () => {
    const stop = new AbortController();
    const turn = (signal: AbortSignal) => {
      setImmediate(() => stop.abort(new AttemptError('aborted', 'shutdown', 'stopped')));
      return untilStopped(signal);
    };
    const { result } = await run([turn], { signal: stop.signal });
    expect(result).toMatchObject(failure('aborted', 'shutdown'));
    expect(await files()).toEqual([]);
  });

  it('publishes nothing either when the answer comes after the stop', async () => {
    const stop = new AbortController();
    const turn = async () => {
      stop.abort(new AttemptError('aborted', 'lease_lost', 'the lease was lost'));
      return answer();
    };
    const { result } = await run([turn], { signal: stop.signal });
    expect(result).toMatchObject({ ...failure('aborted', 'lease_lost'), usage: { calls: 1 } });
    expect(await files()).toEqual([]);
    expect((await outputsOf(projection).find(root, 'job1', null)).result).toBeNull();
  });

  it('is retried when it took longer than the agent allows', async () => {
    const { result } = await run([untilStopped], { agent: { limits: { timeoutMs: 30 } } });
    expect(result).toMatchObject(failure('transient', 'timeout'));
  });
});
