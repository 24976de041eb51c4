/** Citations against files: what stands there word for word stays, everything else goes. */

import { describe, expect, test } from 'vitest';
import { checkCitations, citesKnowledge, type KnowledgeBase } from '../../../core/tools/index.ts';
import { agentOf } from '../../support/runtime-fakes.ts';

const texts: { [path: string]: string } = {
  'mill.md':
    'Heading\n\nThe mill burned in\n  the winter of 1901 (a cold one). It cost $5.00 [sic].\n',
  'river.md': 'The river drives two mills.\n',
  'france.md': 'Voilà.\n\nLa République française\nnaît en 1792. 한국 방앗간 이야기.\n'.normalize(
    'NFD',
  ),
};
const knowledge: KnowledgeBase = {
  paths: async () => Object.keys(texts),
  read: async (path) => texts[path] ?? null,
  search: async () => ({ passages: [], files: 0, leftOut: [] }),
};

const string = { type: 'string' };
function citing(item: object = { path: string, quote: string, line: { type: 'integer' } }) {
  const properties = {
    found: { type: 'boolean' },
    answer: string,
    citations: { type: 'array', items: { type: 'object', properties: item } },
  };
  return agentOf({
    tools: ['search_files'],
    knowledge: [{ include: ['*'], exclude: [], chunkSize: 400 }],
    output: { format: 'json', schema: { type: 'object', properties } },
  });
}

const check = (answer: object, agent = citing()) =>
  checkCitations(answer, agent, { knowledge, queries: ['mill fire', 'fire'] });
const cited = (citations: object[], answer = 'It burned [1] and ran [2].') =>
  check({ found: true, answer, citations });

describe('the rule', () => {
  test('holds for answers with found, answer and citations, of agents with files', () => {
    expect(citesKnowledge(citing())).toBe(true);
    expect(citesKnowledge(citing({ path: string }))).toBe(false);
    expect(citesKnowledge({ ...citing(), knowledge: [] })).toBe(false);
    expect(citesKnowledge(agentOf())).toBe(false);
  });

  test('leaves an answer of another shape to the schema', async () => {
    for (const answer of [null, 'text', [], {}, { found: 'yes', answer: '', citations: [] }]) {
      expect(await checkCitations(answer, citing(), { knowledge, queries: [] })).toBeNull();
    }
    expect(await check({ found: true, answer: '', citations: [null, 5] })).toBeNull();
  });
});

test('an answer names the files that were not searched, whether it found something or not', async () => {
  const leftOut = ['a.pdf: a PDF', 'b.txt: no text in UTF-8'];
  const evidence = { knowledge, queries: ['fire'], leftOut };
  const citations = [{ path: 'river.md', quote: 'The river drives two mills.', line: 1 }];
  for (const found of [true, false]) {
    const answer = { found, answer: 'Two mills [1].', citations };
    const checked = await checkCitations(answer, citing(), evidence);
    expect(checked?.output['answer']).toMatch(/Not searched: 2 files: a\.pdf: a PDF · b\.txt/);
  }
});

describe('a quote', () => {
  test('that stands in its file is given in the file’s own words, with its line put right', async () => {
    const quote = 'The mill burned in the winter of 1901 (a cold one). It cost $5.00 [sic].';
    const checked = await cited([{ path: './mill.md', quote, line: 77 }]);
    expect(checked?.problems).toEqual([]);
    expect(checked?.output['citations']).toEqual([
      {
        path: 'mill.md',
        quote: 'The mill burned in\n  the winter of 1901 (a cold one). It cost $5.00 [sic].',
        line: 3,
      },
    ]);
  });

  test('gets no line when the schema has none', async () => {
    const answer = {
      found: true,
      answer: '',
      citations: [{ path: 'river.md', quote: 'drives two mills' }],
    };
    const checked = await check(answer, citing({ path: string, quote: string }));
    expect(checked?.output['citations']).toEqual(answer.citations);
  });

  test('is the same whether its accents are composed or not, and is given as the file has it', async () => {
    const said = 'La République française naît en 1792. 한국 방앗간';
    for (const form of ['NFC', 'NFD'] as const) {
      const quote = said.normalize(form);
      const checked = await cited([{ path: 'france.md', quote }], 'In 1792 [1].');
      expect(checked?.problems).toEqual([]);
      expect(checked?.output['citations']).toEqual([
        {
          path: 'france.md',
          quote: said.replace('naît', '\nnaît').replace(' \n', '\n').normalize('NFD'),
          line: 3,
        },
      ]);
    }
    const bare = await cited([{ path: 'france.md', quote: 'La Republique' }]);
    expect(bare?.problems.join()).toContain('does not appear in france.md');
  });

  test.each([
    ['another word', { path: 'mill.md', quote: 'The mill burned in the summer of 1901' }],
    ['another case', { path: 'river.md', quote: 'the river drives two mills.' }],
    ['another sign', { path: 'mill.md', quote: 'It cost $5000 [sic].' }],
    ['words of a pattern', { path: 'river.md', quote: 'The .* drives two mills' }],
    ['the words of another file', { path: 'mill.md', quote: 'The river drives two mills.' }],
    ['no such file', { path: '../secret.md', quote: 'The river drives two mills.' }],
    ['too little to mean anything', { path: 'river.md', quote: 'The' }],
    ['nothing', { path: 'river.md', quote: ' \n ' }],
  ])('with %s is told, and dropped', async (_, bad) => {
    const good = { path: 'river.md', quote: 'The river drives two mills.' };
    const checked = await cited([bad, good]);
    expect(checked?.problems).toHaveLength(1);
    expect(checked?.output).toMatchObject({
      found: true,
      answer: 'It burned [not verified] and ran [1].',
      citations: [{ path: 'river.md', line: 1 }],
    });
  });
});

test('a mark that no citation stands behind says so; other brackets stay', async () => {
  const citations = ['The river', 'two mills'].map((quote) => ({ path: 'river.md', quote }));
  const marks = 'A [1], b [2], c [3], d [0], e [999], f [02], g [1901], h [sic].';
  const checked = await cited(citations, marks);
  expect(checked?.problems).toEqual([]);
  const lost = '[not verified]';
  expect(checked?.output['answer']).toBe(
    `A [1], b [2], c ${lost}, d ${lost}, e ${lost}, f [2], g [1901], h [sic].`,
  );
});

describe('an answer without a quote that stands', () => {
  const notFound = {
    found: false,
    answer: 'Not found in the files searched. Searched for: "mill fire", "fire".',
    citations: [],
  };

  test('is not found, and the model is told why first', async () => {
    for (const citations of [[], [{ path: 'mill.md', quote: 'Invented from nothing.' }]]) {
      const checked = await cited(citations, 'An invention.');
      expect(checked?.output).toEqual(notFound);
      expect(checked?.problems.join()).toContain('no citation supports the answer');
    }
  });

  test('says nothing of its own when the model found nothing', async () => {
    const citations = [{ path: 'river.md', quote: 'The river drives two mills.' }];
    const checked = await check({ found: false, answer: 'I guess 1901.', citations });
    expect(checked).toEqual({ output: notFound, problems: [] });
  });
});
