/** Holds the marked figures of the documents against the constants that they name. */

import { expect, test } from 'vitest';
import { figuresIn, markerCount, valueOfConstant, valueOfText } from './rules/figures.ts';
import { filesBelow, readSources, readText } from './rules/repository.ts';

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...filesBelow('docs', (path) => path.endsWith('.md')),
];
const sources = readSources(filesBelow('core', (path) => path.endsWith('.ts')));

test('a marked figure of a document is the value of the constant that it names', () => {
  const wrong = documents.flatMap((path) =>
    figuresIn(readText(path))
      .map(({ text, name }) => [text, valueOfConstant(sources, name), name] as const)
      .filter(([text, value]) => valueOfText(text) !== value)
      .map(([text, value, name]) => `${path}: "${text}", but ${name} is ${value}`),
  );
  expect(wrong).toEqual([]);
});

test('a marker of a document follows a figure', () => {
  const marked = documents.map((path) => [path, markerCount(readText(path))] as const);
  const read = documents.map((path) => [path, figuresIn(readText(path)).length]);
  expect(read).toEqual(marked);
  expect(marked.reduce((sum, [, count]) => sum + count, 0)).toBeGreaterThan(20);
});

test('a figure is read with its unit, and a constant with its arithmetic', () => {
  const figures = figuresIn('at most 4 MiB<!-- = limits.bytesMax --> of two<!-- = rows -->');
  expect(figures).toEqual([
    { text: '4 MiB', name: 'limits.bytesMax' },
    { text: 'two', name: 'rows' },
  ]);
  expect(['1,000', '30 seconds', 'two', '64 KiB'].map(valueOfText)).toEqual([
    1_000, 30_000, 2, 65_536,
  ]);
  const source =
    'const kiB = 1024;\n// bytesMax: 3,\nexport const limits = {\n  rows: 2 ** 3,\n  bytesMax: 4 * kiB * 1_024 + 1,\n} as const;\n';
  const one = new Map([['a.ts', source]]);
  expect(valueOfConstant(one, 'limits.bytesMax')).toBe(4 * 1024 * 1024 + 1);
  expect(valueOfConstant(one, 'limits.rows')).toBe(8);
  expect(() => valueOfConstant(one, 'limits.other')).toThrow('declared 0 times');
  expect(() => valueOfConstant(new Map([...one, ['b.ts', source]]), 'kiB')).toThrow('2 times');
});
