/**
 * Every planted bug still has its place in the sources, and a row in the document: whoever changes
 * that function finds out at once.
 */

import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import type { Edit, PlantedBug } from '../planted/bug.ts';
import { plantedBugs } from '../planted/bugs.ts';
import { filesOf, withBug } from '../planted/planting.ts';
import { section, tableRows } from './rules/markdown.ts';
import { readText, root } from './rules/repository.ts';

test.each(plantedBugs.map((bug) => [bug.name, bug] as const))(
  'the place of %s is there once',
  (_, bug) => {
    for (const file of filesOf(bug)) {
      const source = readText(file);
      const planted = withBug(bug, join(root, file), source);
      expect(planted).not.toBeNull();
      expect(planted).not.toBe(source);
    }
  },
);

test('docs/internals/durability.md lists every planted bug, where it lies and what catches it', () => {
  const rows = tableRows(section(readText('docs/internals/durability.md'), '## Planted bugs'));
  const listed = rows.map((row) => row.join(' | ').replace(/, seed \d+$/, ''));
  const known = plantedBugs.map((bug) => {
    const catcher = 'test' in bug.caughtBy ? bug.caughtBy.test : 'simulation';
    return [bug.name, bug.what, filesOf(bug).join(', '), catcher].join(' | ');
  });
  expect(listed.toSorted()).toEqual(known.toSorted());
});

const source = `
/** Not a declaration: first() { */
export async function first(of: { a: number }): Promise<{ b: string }> {
  const closing = \`}\${of.a}\`;
  await send(closing, now);
}

const limits = { most: 4 };

class Store<T> {
  readonly #kept: Map<string, T> = new Map();

  get(key: string): T | undefined {
    return this.#kept.get(key); // Once.
  }

  #get(key: string): void {
    this.#kept.delete(key);
    this.#kept.delete(key);
  }
}

class Other {
  get(): void {
    send(
      now,
      later,
    );
  }
}
`;

function sourceWith(place: string, find: string, replace = 'X'): string | null {
  const edit: Edit = { in: `core/a.ts#${place}`, find, replace };
  const bug: PlantedBug = { name: 'a-bug', what: '', edits: [edit], caughtBy: { test: '' } };
  return withBug(bug, join(root, 'core/a.ts'), source);
}

describe('a planted bug', () => {
  it.each([
    ['first', 'send(closing', 'await X, now);'],
    ['first', 'const closing', 'X = `}${of.a}`;'],
    ['limits', 'most: 4', 'const limits = { X };'],
    ['Store.#kept', 'new Map()', 'readonly #kept: Map<string, T> = X;'],
    ['Store.get', 'this.#kept.get(key); }', 'return X'],
    ['Other.get', 'send(now, later)', '{\n    X;\n  }'],
  ])('is planted in %s, however its lines are broken', (place, find, result) => {
    expect(sourceWith(place, find)).toContain(result);
  });

  it.each([
    ['second', 'now', 'a-bug: core/a.ts declares second 0 times'],
    ['get', 'now', 'a-bug: core/a.ts declares get 0 times'],
    ['Store.first', 'now', 'a-bug: core/a.ts declares Store.first 0 times'],
    ['Store.get', 'now', 'a-bug: Store.get of core/a.ts has "now" 0 times'],
    ['Store.#get', 'delete(key)', 'a-bug: Store.#get of core/a.ts has "delete(key)" 2 times'],
    ['Store.get', 'Once', 'a-bug: Store.get of core/a.ts has "Once" 0 times'],
  ])('says when %s is gone, or %s in it is not there once', (place, find, problem) => {
    expect(() => sourceWith(place, find)).toThrow(problem);
  });
});
