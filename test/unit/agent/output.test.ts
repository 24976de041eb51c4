import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AgentError, type JsonObject } from '../../../core/agent/index.ts';
import { compileProbe, job, manifest, problemsOf } from './agent-folder.ts';

const withOutput = (...lines: string[]): string =>
  manifest('output:', ...lines.map((line) => `  ${line}`));

const textInput = { text: 'x' };

async function outputOf(text: string, answer: string, input: JsonObject = textInput) {
  return (await compileProbe(text)).renderOutput(answer, input, job);
}

async function refusal(text: string, answer: string, input: JsonObject = textInput) {
  const error = await outputOf(text, answer, input).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(AgentError);
  return error as AgentError;
}

describe('an answer as text', () => {
  test.each([
    ['- a\n- b', '- a\n- b\n'],
    ['\n  - a  \n\n- b\t\n\n\n', '\n  - a  \n\n- b\t\n'],
    ['a\r\nb\r\n\r\n', 'a\r\nb\r\n'],
    ['a\u00a0\n\u200b', 'a\u00a0\n\u200b\n'],
  ])('arrives byte by byte, closed by exactly one line end: %j', async (answer, content) => {
    expect(await outputOf(manifest(), answer)).toEqual([
      { path: 'probe/0123456789ab.md', content },
    ]);
  });

  test('loses white space at its ends where the agent asks for it', async () => {
    const [file] = await outputOf(withOutput('trim: true'), '\n  - a  \n\n- b \n\n');
    expect(file?.content).toBe('- a  \n\n- b\n');
  });

  test('that is empty is no result', async () => {
    expect((await refusal(manifest(), ' \n')).code).toBe('output_invalid');
  });

  test('can go through a template', async () => {
    const text = withOutput('template: "# {{input.text}}\\n\\n{{output}}"');
    expect((await outputOf(text, '{{x}}'))[0]?.content).toBe('# x\n\n{{x}}\n');
  });
});

describe('a value that leaves nothing to name a file with', () => {
  test.each([
    ["'{{input.text}}/x.md'", '..'],
    ["'{{input.text}}.md'", ' '],
    ["'{{upper input.text}}/x.md'", '.'],
  ])('is named in the refusal: %s', async (file, text) => {
    const agent = await compileProbe(withOutput(`file: ${file}`));
    expect(() => agent.renderPath({ text }, job)).toThrow('input.text gives no file name');
  });
});

test('a path that needs no answer is made once for each job', async () => {
  let reads = 0;
  const input: JsonObject = {
    get text() {
      return `${++reads}`;
    },
  };
  const agent = await compileProbe(withOutput("file: '{{input.text}}.md'"));
  const path = agent.renderPath(input, job);
  const before = reads;
  expect(agent.renderOutput('x', input, job)[0]?.path).toBe(path);
  expect(reads).toBe(before);
  expect(agent.renderPath(textInput, { ...job })).toBe('x.md');
});

describe('an answer as JSON', () => {
  const schema =
    'schema: { type: object, required: [title], additionalProperties: false, properties: { title: { type: string }, n: { type: integer, default: 3 } } }';

  test('is written readably, with the defaults of its schema', async () => {
    const [file] = await outputOf(withOutput('format: json', schema), '{"title":"T"}');
    expect(file).toEqual({
      path: 'probe/0123456789ab.json',
      content: '{\n  "title": "T",\n  "n": 3\n}\n',
    });
  });

  test('can become a readable file and name it', async () => {
    const text = withOutput(
      'format: json',
      schema,
      'template: "# {{output.title}}"',
      "file: 'notes/{{output.title}}.md'",
    );
    const agent = await compileProbe(text);
    expect(agent.renderPath(textInput, job)).toBe(null);
    expect(agent.renderOutput('{"title":"../a/b"}', textInput, job)).toEqual([
      { path: 'notes/-a-b.md', content: '# ../a/b\n' },
    ]);
  });

  test('that does not parse or does not fit is told as such', async () => {
    const text = withOutput('format: json', schema);
    const unparsed = await refusal(text, 'Sure! {"title":');
    expect(unparsed).toMatchObject({ code: 'output_invalid' });
    expect(unparsed.message).toContain('the answer is not JSON: "Sure!');
    const unfit = await refusal(text, '{"titel": 1}');
    expect(unfit.problems.map(({ property, message }) => `${property} ${message}`)).toEqual([
      'title is required',
      'titel unknown property. Did you mean title?',
    ]);
  });
});

describe('an answer as files', () => {
  const text = withOutput('format: files', "file: 'out/{{job.shortId}}/'");
  const answer = (...files: unknown[]): string => JSON.stringify({ files });

  test('lands below the folder that the pattern names', async () => {
    const files = await outputOf(
      text,
      answer({ path: 'a.md', content: 'A' }, { path: 'src/b?.md', content: '' }),
    );
    expect(files).toEqual([
      { path: 'out/0123456789ab/a.md', content: 'A' },
      { path: 'out/0123456789ab/src/b-.md', content: '' },
    ]);
  });

  test.each([
    '../x',
    '/etc/passwd',
    'a/../../x',
    'C:\\x',
    '\\x',
    '.env',
    'a/.git/config',
    'con',
    'a\0b',
    '~/x',
    '',
  ])('refuses the path %j', async (path) => {
    const error = await refusal(text, answer({ path, content: 'x' }));
    expect(error.code).toBe('output_invalid');
  });

  test('refuses no files, the same file twice, and what is no list of files', async () => {
    const a = { path: 'a', content: '' };
    expect((await refusal(text, answer())).code).toBe('output_invalid');
    expect((await refusal(text, answer(a, { ...a, path: 'A' }))).message).toContain(
      'appears twice',
    );
    expect((await refusal(text, answer({ path: 'a' }))).message).toContain('content is required');
    expect((await refusal(text, '[]')).message).toContain('is not an object');
  });
});

describe('the path of a result', () => {
  async function pathOf(pattern: string, values: { text?: string; source?: string } = {}) {
    const agent = await compileProbe(withOutput(`file: ${JSON.stringify(pattern)}`));
    const { text = 'x', source = '' } = values;
    return agent.renderPath({ text }, { ...job, source });
  }

  test.each<[string, string, string]>([
    ['{{input.text}}.md', 'Notes', 'Notes.md'],
    ['{{input.text}}.md', 'a/b\\c:d*e', 'a-b-c-d-e.md'],
    ['{{input.text}}.md', '../../etc/passwd', '-..-etc-passwd.md'],
    ['{{input.text}}.md', '..', 'refused'],
    ['{{input.text}}', '', 'refused'],
    ['x/{{input.text}}/y', '', 'x/y'],
    ['{{input.text}}.md', 'nul', 'refused'],
    ['{{input.text}}.md', 'a\u0000b\u202ec', 'a b c.md'],
    ['{{input.text}}.md', 'é'.repeat(200), `${'é'.repeat(50)}.md`],
    ['{{slug input.text}}.md', '../x', 'x.md'],
    ['{{slug input.text}}.md', '', 'untitled.md'],
    ['{{date now "YYYY/MM"}}/{{input.text}}.md', 'a', '2026/11/a.md'],
    ['a//b./{{input.text}} ', 'c', 'a/b/c'],
  ])('%s with %j is %s', async (pattern, text, expected) => {
    const path = await pathOf(pattern, { text }).catch((error: AgentError) => error.code);
    expect(path).toBe(expected === 'refused' ? 'path_invalid' : expected);
  });

  test('summarize names its file after the source', async () => {
    expect(
      await pathOf('s/{{slug job.source default="text"}}.md', { source: 'Ein Text.txt' }),
    ).toBe('s/ein-text-txt.md');
    expect(await pathOf('s/{{slug job.source default="text"}}.md')).toBe('s/text.md');
  });

  test('no value can leave the folder, whatever it holds', async () => {
    const agent = await compileProbe(withOutput("file: 'out/{{input.text}}/{{job.source}}.md'"));
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.string({ unit: 'binary' }),
        (text, source) => {
          let path: string | null;
          try {
            path = agent.renderPath({ text }, { ...job, source });
          } catch (error) {
            return error instanceof AgentError && error.code === 'path_invalid';
          }
          const parts = path?.split('/') ?? [];
          return (
            parts[0] === 'out' &&
            parts.length <= 3 &&
            !parts.some((part) => /^\.|[\\:\0]/.test(part))
          );
        },
      ),
    );
  });

  test.each([
    '../x.md',
    '/x.md',
    'a/../../x.md',
    'C:/x.md',
    'a\\..\\..\\x',
    '~/x',
    '.aiq/x',
    '{{#if input.text}}../{{/if}}x',
    'con.md',
    '..',
  ])('the pattern %s is refused before any job runs', async (pattern) => {
    const [problem, ...more] = await problemsOf(withOutput(`file: ${JSON.stringify(pattern)}`));
    expect(problem).toMatch(/^4:10 output\.file: /);
    expect(more).toEqual([]);
  });
});
