/** The extractor on real prose: sentences of the source, within limits, without scraps or repeats. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { extractSentences, keywordsOf } from '../../../core/offline-model/extract.ts';
import { cleanParagraphs } from '../../../core/offline-model/paragraphs.ts';
import { sentencesOf, wordCount } from '../../../core/offline-model/sentences.ts';

const folder = join(import.meta.dirname, '../../../examples/texts');
const files = readdirSync(folder);
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');

test('there are real texts to try', () => {
  expect(files.length).toBeGreaterThanOrEqual(3);
});

test.each(files)(
  '%s: bullets are whole, different sentences of the text, in order, well spread',
  (file) => {
    const source = read(file);
    const clean = cleanParagraphs(source).join(' ');
    for (const sentencesMax of [1, 3, 5, 10]) {
      const picked = extractSentences(source, { sentencesMax, wordsMax: 5000 });
      expect(picked).toHaveLength(sentencesMax);
      const places = picked.map((sentence) => clean.indexOf(sentence));
      expect(places).not.toContain(-1);
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      expect(new Set(picked).size).toBe(sentencesMax);
      for (const sentence of picked) {
        expect(sentence).toMatch(/^["“'‘(]?[\p{Lu}\p{N}]/u);
        expect(sentence).toMatch(/[.!?]["”'’)]*$/);
        expect(wordCount(sentence)).toBeGreaterThanOrEqual(8);
      }
      const halves = places.filter((place) => place > clean.length / 2).length;
      if (sentencesMax >= 5) {
        expect(halves).toBeGreaterThan(0);
        expect(halves).toBeLessThan(sentencesMax);
      }
    }
  },
);

test.each(files)('%s: a paragraph keeps to its words and uses most of them', (file) => {
  for (const wordsMax of [60, 120, 300]) {
    const picked = extractSentences(read(file), { sentencesMax: 50, wordsMax });
    const words = wordCount(picked.join(' '));
    expect(words).toBeLessThanOrEqual(wordsMax);
    expect(words).toBeGreaterThan(wordsMax / 2);
  }
});

test('marks go, words stay', () => {
  const source = `---
title: x
---
# A Heading That Ends. With a dot

Setext heading
==============

Hard-wrapped *prose* with a [link](https://example.com/a_(b)) and **bold
text** stays one sentence.[1] It uses \`code\` too.

- A first item of a list.
- A second item that is
  wrapped over two lines.

| a | table |
|---|-------|

\`\`\`js
const code = 'is no prose.';
\`\`\`

> A quoted line of text.

CHAPTER ONE.

![A picture.](x.png)
<!-- a comment. -->
Fish &amp; chips cost 3.50 dollars.
`;
  expect(cleanParagraphs(source)).toEqual([
    'Hard-wrapped prose with a link and bold text stays one sentence. It uses code too.',
    'A first item of a list.',
    'A second item that is wrapped over two lines.',
    'A quoted line of text.',
    'Fish & chips cost 3.50 dollars.',
  ]);
});

test('the licence around a Project Gutenberg text is no part of it', () => {
  const source = `A licence stands here at length.
*** START OF THE PROJECT GUTENBERG EBOOK X ***
The story itself is told here.
*** END OF THE PROJECT GUTENBERG EBOOK X ***
More of the licence stands here.`;
  expect(cleanParagraphs(source)).toEqual(['The story itself is told here.']);
});

test('abbreviations, initials, numbers and speech do not end a sentence', () => {
  const texts = [
    'Mr. J. R. Smith of St. Louis paid Dr. Brown 3.5 dollars, i.e. too much.',
    '“Stop! Who goes there?” he cried, and ran.',
    'The U.S. Senate met (as it must. Always) in No. 4.',
    'He asked "why? Tell me." and left.',
  ];
  const sentences = sentencesOf([texts.join(' ')]).map(({ text }) => text);
  expect(sentences).toEqual(texts);
});

test('a text shorter than its summary is given back as it is, and a word limit below any sentence cuts', () => {
  const source = 'The mill burned in 1901. It was rebuilt in 1903. It shut in 1950.';
  expect(extractSentences(source, { sentencesMax: 5, wordsMax: 100 })).toHaveLength(3);
  expect(extractSentences(source, { sentencesMax: 2, wordsMax: 100 })).toHaveLength(2);
  expect(extractSentences(source, { sentencesMax: 2, wordsMax: 3 })).toEqual(['It shut in…']);
  expect(extractSentences('', { sentencesMax: 2, wordsMax: 9 })).toEqual([]);
  expect(extractSentences('- - -\n\n###\n\n', { sentencesMax: 2, wordsMax: 9 })).toEqual([]);
});

test('the same sentence twice is said once', () => {
  const source = 'The mill burned down in the cold winter. '.repeat(30);
  expect(extractSentences(source, { sentencesMax: 5, wordsMax: 500 })).toHaveLength(1);
});

test('other scripts have sentences too', () => {
  const japanese = '水車小屋は川のそばに建てられた。冬に火事で焼けた。三年後に再建された。';
  expect(extractSentences(japanese, { sentencesMax: 2, wordsMax: 100 })).toHaveLength(2);
  const german =
    'Die Mühle brannte im Winter 1901 ab. Ärzte halfen den Verletzten. Später baute man sie neu.';
  expect(extractSentences(german, { sentencesMax: 3, wordsMax: 100 })).toHaveLength(3);
});

test('a question pulls the answer towards its words', () => {
  const source = read('roosevelt-four-freedoms.txt');
  const [sentence] = extractSentences(
    source,
    { sentencesMax: 1, wordsMax: 99 },
    'freedom of speech',
  );
  expect(sentence).toContain('freedom of speech');
});

test('keywords are what a text is about', () => {
  expect(keywordsOf(read('sqlite-how-to-corrupt.md'), 8)).toEqual(
    expect.arrayContaining(['database', 'sqlite']),
  );
});

test('hostile text does not take long', () => {
  const texts = [
    'a'.repeat(300_000),
    '*'.repeat(100_000),
    '['.repeat(50_000),
    '<'.repeat(50_000),
    '“'.repeat(50_000),
    '```\n'.repeat(20_000),
    'A. '.repeat(50_000),
    '- '.repeat(50_000),
    '_a'.repeat(50_000),
  ];
  const before = process.threadCpuUsage();
  for (const text of texts) extractSentences(text, { sentencesMax: 5, wordsMax: 100 });
  const { user, system } = process.threadCpuUsage(before);
  // Quadratic patterns would take minutes here; time in which the machine does other things is not counted.
  expect((user + system) / 1000).toBeLessThan(20_000);
});
