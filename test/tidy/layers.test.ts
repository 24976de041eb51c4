/** Holds `core/` against the import table of `docs/internals/architecture.md`, and the checker against itself. */

import { describe, expect, test } from 'vitest';
import { importsOf, reachableFrom } from './rules/imports.ts';
import {
  importCycles,
  type Layer,
  layerProblems,
  partProblems,
  readLayers,
  readParts,
  tableCycles,
} from './rules/layers.ts';
import { filesBelow, readSources, readText } from './rules/repository.ts';

const sources = readSources(filesBelow('core', (path) => path.endsWith('.ts')));
const architecture = readText('docs/internals/architecture.md');
const layers = readLayers(architecture);
const parts = readParts(architecture);

describe('the code', () => {
  test('imports only what the table of docs/internals/architecture.md allows, through the doors', () => {
    expect(layerProblems(sources, layers)).toEqual([]);
  });

  test('keeps the parts of the broker ignorant of each other as the document says', () => {
    expect(partProblems(sources, parts)).toEqual([]);
  });

  test('has no import cycles, neither between files nor in the table, types included', () => {
    expect(importCycles(sources, ['value', 'type'])).toEqual([]);
    expect(tableCycles(layers)).toEqual([]);
  });

  test('fills every row of the table with at least one source', () => {
    const empty = layers.filter(
      ({ folder }) => ![...sources.keys()].some((p) => p.startsWith(folder)),
    );
    expect(empty.map(({ folder }) => folder)).toEqual([]);
    const emptyParts = parts.filter(
      ({ folder }) => ![...sources.keys()].some((p) => p.startsWith(folder)),
    );
    expect(emptyParts.map(({ folder }) => folder)).toEqual([]);
  });
});

describe('the broker', () => {
  const entries = ['core/broker/index.ts', 'core/broker/main.ts'];
  const trails = reachableFrom(entries, sources);

  test('loads no package, in any thread or process, only Node itself', () => {
    expect(trails.size).toBeGreaterThan(10);
    expect(strangersOf(trails, sources)).toEqual([]);
  });

  test('is caught when a file behind a thread entry loads a package or hides what it loads', () => {
    const planted = new Map([
      ['core/broker/index.ts', "new Worker(new URL('./io-thread.ts', import.meta.url));"],
      ['core/broker/io-thread.ts', "import './deep.ts';"],
      ['core/broker/deep.ts', "const x = await import('pino');\nawait import(name);"],
    ]);
    const found = strangersOf(reachableFrom(['core/broker/index.ts'], planted), planted);
    const trail = 'core/broker/index.ts → core/broker/io-thread.ts → core/broker/deep.ts';
    expect(found).toEqual([`pino by ${trail}`, `a computed import by ${trail}`]);
  });
});

function strangersOf(trails: Map<string, string[]>, from: ReadonlyMap<string, string>): string[] {
  return [...trails].flatMap(([path, trail]) =>
    importsOf(from.get(path) ?? '')
      .filter(({ kind, specifier }) => kind === 'computed' || !/^\.|^node:/.test(specifier))
      .map(({ specifier }) => `${specifier || 'a computed import'} by ${trail.join(' → ')}`),
  );
}

function layer(folder: string, rest: Partial<Layer> = {}): Layer {
  return { folder, mayImport: new Map(), packages: new Set(), builtIns: true, ...rest };
}

describe('the checker', () => {
  const rows = [
    layer('core/low/', { builtIns: false }),
    layer('core/mid/', {
      mayImport: new Map([['core/low/', 'type']]),
      packages: new Set(['@a/b']),
    }),
    layer('core/top/', { mayImport: new Map([['core/mid/', 'value']]) }),
  ];
  const doors = [
    ['core/low/index.ts', ''],
    ['core/mid/index.ts', ''],
    ['core/top/index.ts', ''],
  ] as const;
  const check = (path: string, source: string) =>
    layerProblems(
      new Map([...doors, ['core/mid/inner.ts', ''], ['core/mid/main.ts', ''], [path, source]]),
      rows,
    );

  test.each([
    [
      'a layer that is not in its row',
      'core/low/a.ts',
      "import { x } from '../mid/index.ts';",
      'must not import core/mid/',
    ],
    [
      'a file behind a door',
      'core/top/a.ts',
      "export { x } from '../mid/inner.ts';",
      'past its door',
    ],
    [
      'a value where only types are allowed',
      'core/mid/a.ts',
      "import { type T, x } from '../low/index.ts';",
      'only types',
    ],
    ['its own door', 'core/mid/a.ts', "import {\n  x,\n} from './index.ts';", 'own layer'],
    [
      'a package of another layer',
      'core/top/a.ts',
      "import b from '@a/b/deep.js';",
      'the package @a/b',
    ],
    [
      'a built-in in the protocol',
      'core/low/a.ts',
      "import { crc32 } from 'node:zlib';",
      'built-ins (node:zlib)',
    ],
    ['a package without its prefix', 'core/top/a.ts', "import fs from 'fs';", 'the package fs'],
    ['an agent', 'core/top/a.ts', "import '../../agents/summarize/tool.ts';", 'no source of core'],
    [
      'a layer, dynamically',
      'core/low/a.ts',
      "await import('../top/index.ts');",
      'must not import core/top/',
    ],
    [
      'a thread of another layer',
      'core/top/a.ts',
      "new URL('../mid/inner.ts', import.meta.url)",
      'past its door',
    ],
    ['a folder without a row', 'core/new/a.ts', '', 'no row in the import table'],
  ])('catches %s', (_what, path, source, problem) => {
    expect(check(path, source)).toEqual([expect.stringContaining(problem)]);
  });

  test.each([
    ['a door of an allowed layer', 'core/top/a.ts', "import { x } from '../mid/index.ts';"],
    ['types where types are allowed', 'core/mid/a.ts', "import type { T } from '../low/index.ts';"],
    [
      'siblings, built-ins and own packages',
      'core/mid/a.ts',
      "import './inner.ts';\nimport 'node:fs';\nimport '@a/b';",
    ],
    ['another process', 'core/low/a.ts', "spawn(new URL('../mid/main.ts', import.meta.url));"],
    [
      'words in comments and strings',
      'core/low/a.ts',
      "// import 'x';\n/* import 'y' */ const s = \"import 'z'\";",
    ],
  ])('allows %s', (_what, path, source) => {
    expect(check(path, source)).toEqual([]);
  });

  test('finds cycles of values, and those through types when they count', () => {
    const a = ['core/a.ts', "import { b } from './b.ts';"] as const;
    expect(importCycles(new Map([a, ['core/b.ts', "import './a.ts';"]]))).toEqual([
      'core/a.ts → core/b.ts → core/a.ts',
    ]);
    const erased = new Map([a, ['core/b.ts', "import type { A } from './a.ts';"]]);
    expect(importCycles(erased)).toEqual([]);
    expect(importCycles(erased, ['value', 'type'])).toHaveLength(1);
  });

  test('finds what a part must not know, and is not fooled by names that only look like it', () => {
    const pure = [
      {
        folder: 'core/broker/state-machine/',
        neverImports: ['node:', 'core/broker/log/'],
        neverUses: ['Date', 'Math.random', 'async'],
      },
    ];
    const problems = (source: string) =>
      partProblems(new Map([['core/broker/state-machine/a.ts', source]]), pure);
    expect(problems("import { open } from 'node:fs';")).toHaveLength(1);
    expect(problems("import { Log } from '../log/log.ts';")).toHaveLength(1);
    expect(problems('const now = Date.now();')).toHaveLength(1);
    expect(problems('const x = Math.random();')).toHaveLength(1);
    expect(problems('export async function f() {}')).toHaveLength(1);
    expect(problems("// Date\nconst dueDate = 'Date'; const o = { Date: 1 }; x.async;")).toEqual(
      [],
    );
  });

  test('reads layers of types and the built-in prefix as the document writes them', () => {
    expect(layers.find(({ folder }) => folder === 'core/protocol/')).toEqual({
      folder: 'core/protocol/',
      mayImport: new Map(),
      packages: new Set(),
      builtIns: false,
    });
  });
});
