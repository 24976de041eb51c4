import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AgentError, compileAgent, type JsonObject, loadAgent } from '../../../core/agent/index.ts';
import { compileProbe, job, manifest, problemsOf, promptManifest } from './agent-folder.ts';

const anything = { v: {}, list: {}, text: { type: 'string' } };

async function render(
  prompt: string,
  input: JsonObject,
  properties: JsonObject = anything,
  context = job,
) {
  const agent = await compileProbe(promptManifest(properties, prompt));
  return agent.renderMessages(input, context)[1]?.content;
}

describe('rendering', () => {
  test('instructions become the system message, the prompt the user message', async () => {
    const agent = await compileProbe(
      manifest('version: 2.0.0', 'prompt: "{{input.text}} {{agent.name}} {{agent.version}}"'),
    );
    expect(agent.renderMessages({ text: 'Hi' }, job)).toEqual([
      { role: 'system', content: 'Do it' },
      { role: 'user', content: 'Hi probe 2.0.0' },
    ]);
  });

  test('without a prompt the input goes as JSON', async () => {
    const [, user] = (await compileProbe(manifest())).renderMessages({ text: 'Hi' }, job);
    expect(JSON.parse(user?.content ?? '')).toEqual({ text: 'Hi' });
  });

  test('nothing is escaped for HTML', async () => {
    expect(await render('{{input.text}}', { text: 'a<b & "c"' })).toBe('a<b & "c"');
  });

  test.each<[string, JsonObject, string]>([
    ['{{json input.v}}', { v: { a: 1 } }, '{\n  "a": 1\n}'],
    ['{{json input.v indent=0}}', { v: [1] }, '[1]'],
    ['{{#if (eq input.v "a")}}yes{{else}}no{{/if}}', { v: 'a' }, 'yes'],
    ['{{#if (and input.v (not input.list))}}yes{{/if}}', { v: 1, list: [] }, 'yes'],
    ['{{#if (or input.v (ne input.text "x"))}}yes{{else}}no{{/if}}', { v: 0, text: 'x' }, 'no'],
    ['{{default input.text "none"}}', {}, 'none'],
    ['{{join input.list}} {{join input.list "/"}}', { list: ['a', 2] }, 'a, 2 a/2'],
    ['{{lines input.list prefix="- "}}', { list: ['a', 'b'] }, '- a\n- b'],
    ['{{lines input.text prefix="> "}}', { text: 'a\nb' }, '> a\n> b'],
    ['{{truncate input.text 3}}', { text: 'a😀cd' }, 'a😀…'],
    ['{{slug input.text}}', { text: '  Über Größe & Maß!  ' }, 'uber-große-maß'],
    ['{{slug input.text max=4}}', { text: 'abc def' }, 'abc'],
    ['{{slug input.text default="x y"}} {{slug input.text}}', { text: '...' }, 'x-y untitled'],
    ['{{upper input.text}}{{lower input.text}}', { text: 'aB' }, 'ABab'],
    ['{{#each input.list}}{{add @index 1}}.{{this}} {{/each}}', { list: ['a', 'b'] }, '1.a 2.b'],
    ['{{#each input.list as |item at|}}{{at}}{{item}}{{/each}}', { list: ['a'] }, '0a'],
    [
      '{{date now}} {{date job.createdAt "DD.MM.YYYY HH:mm:ss"}}',
      {},
      '2026-11-22 22.11.2026 10:11:12',
    ],
    ['{{fence input.text "md"}}', { text: '```x' }, '````md\n```x\n````'],
    ['{{#with input.v}}{{a}}{{/with}}', { v: { a: 'in' } }, 'in'],
    ['{{lookup input.v "a"}}', { v: { a: 'in' } }, 'in'],
    ['{{#unless input.v}}none{{/unless}}', {}, 'none'],
  ])('%s', async (prompt, input, expected) => {
    expect(await render(prompt, input)).toBe(expected);
  });

  test.each([
    ['हिन्दी में जानकारी', 'हिन्दी-में-जानकारी'],
    ['தமிழ் மொழி', 'தமிழ்-மொழி'],
    ['ガイドブック', 'ガイドブック'],
    ['Война й Ёлка', 'война-й-ёлка'],
    ['ภาษาไทย น้ำ', 'ภาษาไทย-น้ํา'],
    ['한국어 안내', '한국어-안내'],
    ['العَرَبِيَّة', 'العَرَبِيَّة'],
    ['שָׁלוֹם', 'שָׁלוֹם'],
    ['বাংলা', 'বাংলা'],
    ['क्\u200dष', 'क्ष'],
    ['Crème brûlée Việt Ἀθήνα', 'creme-brulee-viet-αθηνα'],
    ['\u0301 I ❤️ 1️⃣ \u0301', 'i-1'],
  ])('a slug keeps what is a letter in its script, and no more: %s', async (text, expected) => {
    expect(await render('{{slug input.text}}', { text })).toBe(expected.normalize('NFC'));
  });

  const zones = ['Asia/Tokyo', 'America/Los_Angeles', 'UTC'];
  describe.each(zones)('a date is the same in %s', (zone) => {
    beforeEach(() => void vi.stubEnv('TZ', zone));
    afterEach(() => void vi.unstubAllEnvs());
    const date = (v: unknown) => render('{{date input.v "YYYY-MM-DD HH:mm:ss"}}', { v });

    test.each([
      ['2026-11-30', '2026-11-30 00:00:00'],
      ['2026-11-30 08:00', '2026-11-30 08:00:00'],
      ['2026-11-30T08:00:01.5', '2026-11-30 08:00:01'],
      ['2026-11-30T08:00:00Z', '2026-11-30 08:00:00'],
      ['2026-11-30t23:00:00-05:00', '2026-12-01 04:00:00'],
      ['2026-11-30 08:00+0900', '2026-11-29 23:00:00'],
      [1_795_996_800_000, '2026-11-30 00:00:00'],
    ])('%j', async (value, expected) => {
      expect(await date(value)).toBe(expected);
    });

    test.each([
      'November 30, 2026',
      '2026/11/30',
      '11/30/2026',
      '30.11.2026',
      '2026-11-30 08:00 PST',
      '2026-02-30',
      '2026-13-01',
      '2026',
      '1',
      'today',
      1e15,
    ])('%j is refused', async (value) => {
      await expect(date(value)).rejects.toThrow(/"date" needs a date such as 2026-11-30/);
    });
  });

  test.each(['{{x}}', '{{{x}}}', '{{#if', '{{> p}}', '{{*n}}', '\\{{x}}', '{{!-- --}}'])(
    'braces in the data come out as they went in: %s',
    async (text) => {
      expect(await render('{{input.text}}', { text })).toBe(text);
    },
  );

  test('every text of summarize survives unchanged', async () => {
    const agent = await compileAgent(await loadAgent('summarize', []));
    const text = '{{input.text}} {{#each}} </text> $& ${x} <b>';
    const input = agent.checkInput({ text, title: text, language: '{{x}}' });
    const messages = input.ok ? agent.renderMessages(input.input, job) : [];
    const [, code] = /<(text-[0-9a-f]{16})>/.exec(messages[1]?.content ?? '') ?? [];
    expect(messages[1]?.content).toBe(`Title: ${text}\n\n<${code}>\n${text}\n</${code}>`);
    expect(messages[0]?.content).toContain(`between <${code}> and </${code}>`);
    expect(messages[0]?.content).toContain('- Write in {{x}}.');
  });

  test('a fence is the same when a job runs again, another for every other job, and in no input', async () => {
    const fence = async (text: string, changes: Partial<typeof job> = {}) =>
      String(await render('{{job.fence}}', { text }, anything, { ...job, ...changes }));
    const code = await fence('a');
    expect(code).toMatch(/^[0-9a-f]{16}$/);
    expect(await fence('a', { attempt: 3 })).toBe(code);
    const others = [await fence('b'), await fence(code), await fence('a', { id: 'k'.repeat(40) })];
    expect(new Set([code, ...others]).size).toBe(4);
    expect(await fence(code)).not.toBe(code);
  });

  test('now is the moment of the enqueue, so that a retry renders the same prompt', async () => {
    expect(await render('{{now}}', {})).toBe(job.createdAt);
  });
});

describe('a template that fails', () => {
  async function failure(prompt: string, input: JsonObject, properties?: JsonObject) {
    const error = await render(prompt, input, properties).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AgentError);
    expect((error as AgentError).code).toBe('template_failed');
    return (error as AgentError).message;
  }

  test('says which variable this job lacks, and where', async () => {
    const properties = { text: { type: 'string' }, v: {} };
    expect(await failure('a {{input.text}}', {}, properties)).toMatch(
      /agent\.yaml:4:14: the template needs input\.text, which this job does not have$/,
    );
    expect(await failure('{{#if input.v.deep.er}}x{{/if}}', {}, properties)).toMatch(
      /4:16: the template needs input\.v\.deep\.er/,
    );
  });

  test('says which helper got what it cannot use', async () => {
    expect(await failure('x {{upper input.v}}', { v: {} })).toMatch(
      /4:12: "upper" needs text; use json for objects and lists$/,
    );
    expect(await failure('{{json input.v}}', {})).toContain('"json" got no value');
    expect(await failure('{{add input.v 1}}', { v: 'a' })).toContain('"add" needs a number');
  });

  test('stops at a bounded number of turns and a bounded length', async () => {
    const list = Array.from({ length: 10_000 }, () => 'x');
    const nested = '{{#each input.list}}{{#each @root.input.list}}y{{/each}}{{/each}}';
    expect(await failure(nested, { list })).toContain('"each" took over 100000 turns');
    const text = 'x'.repeat(1024 * 1024);
    const repeated = '{{#each input.list}}{{@root.input.text}}{{/each}}';
    expect(await failure(repeated, { list, text })).toContain('rendered text is longer than');
    expect(await failure('{{input.text}}'.repeat(5), { text })).toContain('longer than 4194304');
  });

  test('still renders an input of 1 MiB', async () => {
    const text = 'x'.repeat(1024 * 1024);
    expect(await render('{{input.text}}', { text })).toHaveLength(text.length);
  });
});

describe('a hostile template', () => {
  test.each([
    '{{constructor}}',
    '{{input.constructor.constructor "return process"}}',
    '{{#with input as |s|}}{{s.__proto__}}{{/with}}',
    '{{__proto__}}',
    '{{input.__defineGetter__}}',
    '{{lookup this "constructor"}}',
    '{{lookup (lookup this "constructor") "name"}}',
    '{{#with (lookup input "constructor")}}{{#with (lookup this "prototype")}}x{{/with}}{{/with}}',
    '{{#each (lookup input "__proto__")}}x{{/each}}',
    '{{helperMissing}}',
    '{{blockHelperMissing}}',
    '{{#blockHelperMissing input}}x{{/blockHelperMissing}}',
    '{{log input}}',
    '{{> (lookup input "v")}}',
    '{{> x}}',
    '{{#> x}}y{{/x}}',
    '{{* n}}',
    '{{#* inline "x"}}y{{/inline}}',
    '{{@root.constructor}}',
    '{{@budget}}',
    '{{@_parent}}',
    '{{process.env}}',
  ])('%s prints nothing or is refused', async (template) => {
    const text = promptManifest({ v: {}, list: {}, text: {} }, template);
    const refused = await problemsOf(text);
    if (refused.length > 0) return;
    const agent = await compileProbe(text);
    const rendered = (() => {
      try {
        return agent.renderMessages({ v: 'x' }, job)[1]?.content;
      } catch (error) {
        expect(error).toBeInstanceOf(AgentError);
        return '';
      }
    })();
    expect(rendered).toBe('');
  });

  test('that is larger or deeper than a person writes is refused, not a crash', async () => {
    const deep = (levels: number): string =>
      '{{#if input.v}}'.repeat(levels) + '{{/if}}'.repeat(levels);
    expect(await problemsOf(promptManifest({ v: {} }, deep(30)))).toEqual([
      expect.stringContaining('blocks nested over 20 deep'),
    ]);
    expect(await problemsOf(promptManifest({ v: {} }, deep(5_000)))).toEqual([
      expect.stringContaining('over 200 open blocks'),
    ]);
    expect(
      await problemsOf(promptManifest({ v: {} }, '{{default input.v "-"}}'.repeat(3_000))),
    ).toEqual([expect.stringContaining('over 2000 parts')]);
    expect(await problemsOf(promptManifest({}, 'x'.repeat(300_000)))).toEqual([
      expect.stringContaining('over 262144 characters'),
    ]);
  });
});
