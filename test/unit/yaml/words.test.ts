import { describe, expect, test } from 'vitest';
import { didYouMean, formatFinding, listOf, shorten } from '../../../core/yaml/index.ts';

describe('didYouMean', () => {
  test.each<[string, string[], string | null]>([
    ['bulet', ['bullet', 'prose'], 'bullet'],
    ['PROSE', ['bullet', 'prose'], 'prose'],
    ['summarzie', ['summarize', 'search'], 'summarize'],
    ['stile', ['title', 'style'], 'style'],
    ['xyz', ['bullet', 'prose'], null],
    ['ab', ['cd'], null],
    ['', ['a'], null],
    ['style', [], null],
  ])('%s among %j is %s', (word, candidates, expected) => {
    expect(didYouMean(word, candidates)).toBe(expected);
  });

  test('takes the first of equally near words', () => {
    expect(didYouMean('cat', ['bat', 'hat'])).toBe('bat');
  });

  test('answers for a word of a megabyte as quickly as for any', () => {
    expect(didYouMean('x'.repeat(1_000_000), ['style'])).toBe(null);
  });
});

test('long values and long lists are cut', () => {
  expect(shorten('x'.repeat(1_000_000))).toBe(`"${'x'.repeat(58)}…`);
  expect(shorten(undefined)).toBe('nothing');
  expect(listOf(['a', 'b'])).toBe('a, b');
  expect(listOf(Array.from({ length: 15 }, (_, index) => String(index)))).toMatch(/11 and 3 more$/);
});

test('a finding is printed as editors jump to it, relative to the working folder', () => {
  const place = { line: 4, column: 1, message: 'wrong' };
  const here = `${process.cwd()}/agents/a/agent.yaml`;
  expect(formatFinding({ file: here, ...place })).toBe('agents/a/agent.yaml:4:1: wrong');
  expect(formatFinding({ file: '/elsewhere/a.yaml', ...place })).toBe(
    '/elsewhere/a.yaml:4:1: wrong',
  );
});
