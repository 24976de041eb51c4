/** Holds identifiers and comments of `core/` against the retired words of `docs/internals/glossary.md`. */

import { expect, test } from 'vitest';
import { section, tableRows } from './rules/markdown.ts';
import { filesBelow, readSources, readText } from './rules/repository.ts';
import { type Counts, countRetired } from './rules/words.ts';

const glossary = readText('docs/internals/glossary.md');
const retired = tableRows(section(glossary, '## Retired words')).map(([words = '']) =>
  words.split(', '),
);
/** How many of a word a folder may still have; what is not listed has none. */
const allowed = JSON.parse(readText('test/tidy/retired-words.json')) as Counts;

const sumOf = (counts: Counts, word: string): number =>
  Object.values(counts).reduce((sum, words) => sum + (words[word] ?? 0), 0);

test('core/ has no more retired words than the countdown of its folders allows', () => {
  const sources = readSources(filesBelow('core', (path) => path.endsWith('.ts')));
  const counts = countRetired(sources, retired);
  const tooMany = Object.entries(counts).flatMap(([folder, words]) =>
    Object.entries(words)
      // A file that moved takes its words along.
      .filter(([word, count]) => count > (allowed[folder]?.[word] ?? 0))
      .filter(([word]) => sumOf(counts, word) > sumOf(allowed, word))
      .map(([word, count]) => `${folder}: "${word}" ${count}, of ${allowed[folder]?.[word] ?? 0}`),
  );
  expect(tooMany).toEqual([]);
});

test('the countdown names only words of the table', () => {
  const known = new Set(retired.map(([first = '']) => first));
  const counted = Object.values(allowed).flatMap(Object.keys);
  expect(counted.filter((word) => !known.has(word))).toEqual([]);
});

test('a retired word is found in identifiers and comments, not in texts', () => {
  const source = "// Told once.\nconst lastTold = 'nobody told';\nlet whoeverElse = old;\n";
  const words = [['told', 'tell'], ['whoever'], ['desk']];
  expect(countRetired(new Map([['core/a/b.ts', source]]), words)).toEqual({
    'core/a': { told: 2, whoever: 1 },
  });
});
