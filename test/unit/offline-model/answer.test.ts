/** The offline model with tools and files: quotes word for word, nothing found, files of a brief. */

import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { answerTo, type ChatRequest } from '../../../core/offline-model/answer.ts';
import { fillSource } from '../../../core/offline-model/fill-schema.ts';
import { filesFor } from '../../../core/offline-model/write-files.ts';

const properties = (names: object) => ({ type: 'object', properties: names });
const string = { type: 'string' };
const schema = properties({
  found: { type: 'boolean' },
  answer: string,
  citations: {
    type: 'array',
    items: properties({ path: string, quote: string, line: { type: 'integer' } }),
  },
  note: { const: 'kept' },
});
const passage = {
  path: 'docs/mill.md',
  lines: '7-12',
  text: 'The mill stood by the\nriver. It burned down in the winter\nof 1901.\n\n| mill | burned |\n\nA ferry ran.',
};

interface Cited {
  readonly found: boolean;
  readonly answer: string;
  readonly citations: readonly {
    readonly path: string;
    readonly quote: string;
    readonly line: number;
  }[];
}

/** Answers a question that the tool was already called for. */
function cited(question: string, result: unknown, more: ChatRequest['messages'] = []): Cited {
  const content = typeof result === 'string' ? result : JSON.stringify(result);
  const answer = answerTo({
    messages: [
      { role: 'user', content: `Question: ${question}` },
      { role: 'assistant', content: '' },
      { role: 'tool', content },
      ...more,
    ],
    tools: [{ function: { name: 'search_files' } }],
    response_format: { type: 'json_schema', json_schema: { schema } },
  });
  if (answer.kind !== 'json') throw new Error(`it answered with ${answer.kind}`);
  return JSON.parse(answer.text) as Cited;
}

describe('a question with passages', () => {
  test('is answered with whole sentences of them, across wrapped lines, with their file', () => {
    const { found, answer, citations } = cited('When did the mill burn down by the river?', {
      passages: [passage],
    });
    expect(found).toBe(true);
    expect(citations).toContainEqual({
      path: 'docs/mill.md',
      quote: 'The mill stood by the river.',
      line: 7,
    });
    const flat = passage.text.replaceAll('\n', ' ');
    for (const { quote } of citations) expect(flat).toContain(quote);
    expect(answer).toContain('made by aiq-offline');
  });

  test('finds words however their accents are written, and quotes the file’s own text', () => {
    const text = 'La République française naît en 1792.'.normalize('NFD');
    const { found, citations } = cited('Quand naît la République ?'.normalize('NFC'), {
      passages: [{ path: 'france.md', lines: '4', text }],
    });
    expect(found).toBe(true);
    expect(citations).toEqual([{ path: 'france.md', quote: text, line: 4 }]);
  });

  test('never quotes a sentence that its passage has cut', () => {
    const text =
      'that drove the mill stones.\nThe mill stones came from\nFrance. The mill stones were then';
    const quotesOf = (cut: object): string[] =>
      cited('Where did the mill stones come from?', {
        passages: [{ path: 'mill.md', lines: '2-4', text, ...cut }],
      }).citations.map(({ quote }) => quote);
    const [first, whole, last] = [
      'that drove the mill stones.',
      'The mill stones came from France.',
      'The mill stones were then',
    ];
    expect(new Set(quotesOf({}))).toEqual(new Set([first, whole, last]));
    expect(new Set(quotesOf({ cutAtStart: true }))).toEqual(new Set([whole, last]));
    expect(quotesOf({ cutAtStart: true, cutAtEnd: true })).toEqual([whole]);
  });

  test('takes no dot of a path or in front of a note for the end of a sentence', () => {
    const text = 'The mill reads its plan from ../Plans/mill.md and ./Other.md each day.[1]';
    const { citations } = cited('Where does the mill read its plan from?', {
      passages: [{ path: 'mill.md', lines: '1', text }],
    });
    expect(citations.map(({ quote }) => quote)).toEqual([text]);
  });

  test('keeps numbers in brackets of a quote apart from its own marks', () => {
    const text = 'The mill burned down in 1901 [3] and was never rebuilt.';
    const { answer, citations } = cited('Was the mill burned down in 1901?', {
      passages: [{ path: 'mill.md', lines: '1', text }],
    });
    expect(answer.match(/\[\d+\]/g)).toEqual(['[1]']);
    expect(citations[0]?.quote).toBe(text);
  });

  test('keeps what else the schema fixes', () => {
    expect(cited('Did the mill burn?', { passages: [passage] })).toHaveProperty('note', 'kept');
  });

  test.each([
    ['speaks of something else', 'How is sourdough bread baked?', { passages: [passage] }],
    [
      'shares one word of many',
      'Which mill grinds coffee beans for espresso?',
      { passages: [passage] },
    ],
    ['has no word that means anything', 'What is it?', { passages: [passage] }],
    ['got no passages', 'When did the mill burn?', { passages: [] }],
    ['got an error', 'When did the mill burn?', 'Error: the disk is full'],
  ])('that %s is not found', (_, question, result) => {
    expect(cited(question, result)).toMatchObject({ found: false, citations: [] });
  });

  test('stays the question when the model is asked for its answer again', () => {
    const more = [{ role: 'user', content: 'That answer cannot be used. Give it again.' }];
    const again = cited('Did the mill burn down?', { passages: [passage] }, more);
    expect(again).toEqual(cited('Did the mill burn down?', { passages: [passage] }));
  });
});

describe('files of a brief', () => {
  const files = (brief: string, instructions = '') =>
    new Map(
      filesFor(fillSource(brief), instructions).files.map(({ path, content }) => [path, content]),
    );

  test('are those that it names, each valid and each saying how it was made', () => {
    const brief =
      'Make a.json, b.yaml, c.csv, d.js, docs/e.html and f.toml about "lamps" & <wicks>.';
    const made = files(brief);
    expect([...made.keys()]).toEqual([
      'a.json',
      'b.yaml',
      'c.csv',
      'd.js',
      'docs/e.html',
      'f.toml',
    ]);
    for (const content of made.values()) expect(content).toContain('made by aiq-offline');
    expect(JSON.parse(made.get('a.json') ?? '')).toHaveProperty('brief', brief);
    expect(parse(made.get('b.yaml') ?? '')).toHaveProperty('brief', brief);
    expect(made.get('c.csv')).toContain('"brief","Make a.json, b.yaml');
    expect(made.get('docs/e.html')).toContain('&lt;wicks>');
  });

  test('is one page when it names none, and never more than the instructions allow', () => {
    expect([...files('A note about lamps').keys()]).toEqual(['a-note-about-lamps.md']);
    expect(files('Write a.md, b.md, c.md.', 'Return at most 2 files.').size).toBe(2);
  });

  test('are not taken from addresses, products or paths that leave', () => {
    const brief = 'See https://example.com/x.md and ../../etc/y.md, use Node.js 24 and /abs/z.md.';
    expect([...files(brief).keys()]).toEqual(['see-https-example-com-x-md-and-etc-y-md.md']);
  });
});
