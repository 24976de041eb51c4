/** Holds identifiers and comments of `core/` against the retired words of `docs/internals/glossary.md`. */

import { expect, test } from 'vitest';
import { section, tableRows } from './rules/markdown.ts';
import { filesBelow, readSources, readText } from './rules/repository.ts';
import { type Counts, countRetired } from './rules/words.ts';

const glossary = readText('docs/internals/glossary.md');
const retired = tableRows(section(glossary, '## Retired words')).map(([words = '']) =>
  words.split(', '),
);
/** Names that data have: a key of `aiq broker status --json`, and what is hashed into journal entries. */
const kept: Counts = { 'core/cli': { trouble: 1 }, 'core/runtime': { spend: 1 } };

test('core/ uses no retired word', () => {
  const sources = readSources(filesBelow('core', (path) => path.endsWith('.ts')));
  expect(countRetired(sources, retired)).toEqual(kept);
});

test('a retired word is found in identifiers and comments, not in texts', () => {
  const source = "// Told once.\nconst lastTold = 'nobody told';\nlet whoeverElse = old;\n";
  const words = [['told', 'tell'], ['whoever'], ['desk']];
  expect(countRetired(new Map([['core/a/b.ts', source]]), words)).toEqual({
    'core/a': { told: 2, whoever: 1 },
  });
});
