/** Cutting texts into passages: nothing changed, nothing lost, lines right. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { passagesOf } from '../../../core/tools/knowledge/passages.ts';

const text = `# The mill

It was built in 1820.
The river drove it.

It burned in 1901.

## Afterwards

The owners rebuilt it of brick.
`;

test('a passage is a run of paragraphs under one heading, with its lines', () => {
  expect(passagesOf(text, 1000)).toEqual([
    {
      from: 1,
      to: 6,
      heading: 'The mill',
      cutAtStart: false,
      cutAtEnd: false,
      text: '# The mill\n\nIt was built in 1820.\nThe river drove it.\n\nIt burned in 1901.',
    },
    {
      from: 8,
      to: 10,
      heading: 'Afterwards',
      cutAtStart: false,
      cutAtEnd: false,
      text: '## Afterwards\n\nThe owners rebuilt it of brick.',
    },
  ]);
});

test('a small size parts paragraphs, and a long line between words', () => {
  const parts = passagesOf(text, 35).map(({ from, to }) => `${from}-${to}`);
  expect(parts).toEqual(['1-3', '4-4', '6-6', '8-8', '10-10']);
  const long = passagesOf('word '.repeat(100), 120);
  expect(long.every((part) => part.text.length <= 120 && !/^ord|wor$/.test(part.text))).toBe(true);
  expect(
    long
      .map((part) => part.text)
      .join('')
      .trim(),
  ).toBe('word '.repeat(100).trim());
});

test('a passage tells where a cut has parted a sentence', () => {
  const wrapped =
    'The mill stood by the\nriver. It burned in the\nwinter of 1901.\nThe owners left it.\n\nBrick came.';
  const parts = passagesOf(wrapped, 50).map(({ text: part, cutAtStart, cutAtEnd }) => [
    part.trim(),
    cutAtStart,
    cutAtEnd,
  ]);
  expect(parts).toEqual([
    ['The mill stood by the\nriver. It burned in the', false, true],
    ['winter of 1901.\nThe owners left it.\n\nBrick came.', true, false],
  ]);
  const atEnds = passagesOf('The river drove it.\nIt burned (in "1901").\nIt is gone.', 24);
  expect(atEnds).toHaveLength(3);
  const items = passagesOf('- the first mill\n- the second mill\n2. the third mill', 24);
  expect(items).toHaveLength(3);
  // Spaces fill a passage of their own: the sentence before them has still ended.
  const spaced = passagesOf(`It burned down.${' '.repeat(60)}Gone.`, 20);
  const uncut = [...atEnds, ...items, ...spaced];
  expect(uncut.filter(({ cutAtStart, cutAtEnd }) => cutAtStart || cutAtEnd)).toEqual([]);
});

test('whatever the text, each passage stands in it at its lines, in order, and nothing is lost', () => {
  const piece = fc.constantFrom(
    'a',
    'word ',
    '\n',
    '\n\n',
    '\r\n',
    '# head\n',
    '🙂',
    '漢字',
    ' ',
    'x'.repeat(50),
  );
  const texts = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(texts, fc.integer({ min: 10, max: 200 }), (any, size) => {
      let at = 0;
      let kept = '';
      for (const passage of passagesOf(any, size)) {
        const start = any.indexOf(passage.text, at);
        expect(start).toBeGreaterThanOrEqual(at);
        expect(any.slice(0, start).split('\n').length).toBe(passage.from);
        at = start + passage.text.length;
        expect(any.slice(0, start + passage.text.trimEnd().length).split('\n').length).toBe(
          passage.to,
        );
        expect(passage.text.length).toBeLessThanOrEqual(size);
        expect(passage.text.isWellFormed()).toBe(true);
        kept += passage.text;
      }
      expect(kept.replace(/\s/g, '')).toBe(any.replace(/\s/g, ''));
    }),
  );
});
