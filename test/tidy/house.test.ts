/** The rules of the house: head comments, doors, no leftovers, live links, clean lock files. */

import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  doorProblems,
  folderFilesMax,
  folderProblems,
  headCommentProblems,
  leftovers,
  lockProblems,
  machinePaths,
} from './rules/house.ts';
import { anchorsOf, fileLinks, type Link, linksIn, tableRows } from './rules/markdown.ts';
import { filesBelow, readSources, readText, root } from './rules/repository.ts';

const isCode = (path: string): boolean => /\.(?:ts|js)$/.test(path);
const isText = (path: string): boolean =>
  /\.(?:ts|js|json|md|yaml|yml|hbs|txt)$|^\.ci\/|^\.npmrc$|^LICENSE$/.test(path);

const all = filesBelow('.', isText);
const shipped = readSources(
  all.filter((path) => isCode(path) && /^(?:bin|core|scripts)\//.test(path)),
);
// These tests name what they look for.
const notTidy = (path: string): boolean => !path.startsWith('test/tidy/');

test('no folder of code or documents has so many files that nobody sees them at once', () => {
  const paths = all.filter((path) => /^(?:core|test|bench|scripts|docs|agents)\//.test(path));
  expect(folderProblems(paths)).toEqual([]);
  const many = Array.from({ length: folderFilesMax + 1 }, (_, index) => `a/${index}.ts`);
  expect(folderProblems(many)).toEqual(['a has 16 files: give it rooms']);
  expect(
    folderProblems([...many, 'a/README.md', ...many.slice(1).map((path) => `b${path}`)]),
  ).toEqual([]);
});

describe('every shipped source', () => {
  test('begins with a comment that says what it owns', () => {
    expect(headCommentProblems(shipped)).toEqual([]);
    const planted = new Map([
      ['a.ts', "import 'node:fs';\n/** Late. */"],
      ['b.ts', '/** Short. */\n'],
      ['c.js', '#!/usr/bin/env node\n/** Runs the thing that it is named after. */\n'],
    ]);
    expect(headCommentProblems(planted).map((problem) => problem.slice(0, 4))).toEqual([
      'a.ts',
      'b.ts',
    ]);
  });

  test('like every test is finished: no notes to self, no silenced checks, no tests left out in silence', () => {
    expect(leftovers(readSources(all.filter((path) => isCode(path) && notTidy(path))))).toEqual([]);
    const planted = [
      '// TODO: later',
      '/* FIXME */',
      '// oxlint-disable-next-line',
      '// @ts-ignore',
      '// biome-ignore format: mine',
      "test.only('x')",
      "describe.skip('y')",
      "it.todo('z')",
    ];
    expect(leftovers(new Map(planted.map((text, index) => [`${index}.ts`, text])))).toHaveLength(
      planted.length,
    );
    const fair =
      "test.skipIf(strace === null)('watches calls (needs strace: apt-get install strace)')";
    expect(leftovers(new Map([['a.ts', `${fair};\nconst doTodos = skip(todo);`]]))).toEqual([]);
  });
});

describe('every layer', () => {
  test('has a door that says its duty in one line and names what it lets through', () => {
    expect(doorProblems(shipped)).toEqual([]);
    const planted = new Map([
      ['core/a/inner.ts', ''],
      ['core/b/index.ts', "/** A duty in one line. */\nexport * from './x.ts';"],
      ['core/c/index.ts', '/**\n * Two\n * lines. */\n'],
    ]);
    expect(doorProblems(planted)).toEqual([
      'core/a/ has no index.ts',
      'core/b/index.ts must name what it exports',
      'core/c/index.ts must begin with its duty in one line',
    ]);
  });
});

describe('every text', () => {
  test('names no path of the machine that it was written on', () => {
    expect(machinePaths(readSources(all.filter(notTidy)))).toEqual([]);
    const home = ['/home/ann/aiq', '/Users/ann/aiq', '/root/.npm', '/work/ann/aiq'];
    expect(machinePaths(new Map(home.map((path) => [path, `see ${path}`])))).toHaveLength(
      home.length,
    );
  });

  test('links only to files and headings that exist', () => {
    const dead = all
      .filter((path) => path.endsWith('.md'))
      .flatMap((path) =>
        linksIn(readText(path))
          .filter((link) => !isLive(path, link))
          .map(({ file, fragment }) => `${path} → ${file}#${fragment}`),
      );
    expect(dead).toEqual([]);
    const sample =
      '[a](b.md#c) ![i](i.png) [h](#x) [w](https://x.y) `[no](no.md)`\n```\n[no](no.md)\n```\n';
    expect(fileLinks(sample)).toEqual(['b.md', 'i.png']);
    expect(linksIn(sample).map(({ fragment }) => fragment)).toEqual(['c', '', 'x']);
    expect(anchorsOf('# `a.b` of C-d\n## Say\n## Say\n')).toEqual(['ab-of-c-d', 'say', 'say-1']);
    expect(isLive('README.md', { file: '', fragment: 'no-such-heading' })).toBe(false);
  });

  test('names only documents and, in documents, only sources that exist', () => {
    // Tests write documents of their own.
    const texts = [...readSources(all.filter((path) => !path.startsWith('test/')))];
    const dead = texts.flatMap(([path, source]) => {
      const documents = source.match(/\bdocs\/[\w/-]+\.md\b/g) ?? [];
      const named = path.endsWith('.md')
        ? [...source.matchAll(/`((?:[\w-]+\/)*[\w.-]+\.ts)`/g)]
        : [];
      const sources = named.map(([, name = '']) => name);
      return [
        ...documents.filter((target) => !existsSync(`${root}/${target}`)),
        ...sources.filter((name) => !all.some((it) => `/${it}`.endsWith(`/${name}`))),
      ].map((target) => `${path}: ${target}`);
    });
    expect(dead).toEqual([]);
  });
});

function isLive(from: string, { file, fragment }: Link): boolean {
  const path = file === '' ? from : posix.join(posix.dirname(from), file);
  if (!existsSync(`${root}/${path}`)) return false;
  return fragment === '' || anchorsOf(readText(path)).includes(fragment);
}

describe('lock files', () => {
  test('pin a version and a checksum for every package and name no registry', () => {
    for (const path of ['package-lock.json', 'scripts/node-runtime/package-lock.json']) {
      expect([path, ...lockProblems(readText(path))]).toEqual([path]);
    }
    const bad = {
      packages: { '': {}, 'node_modules/x': { version: '1.0.0', resolved: 'https://r/x' } },
    };
    expect(lockProblems(JSON.stringify(bad))).toEqual([
      'node_modules/x has no checksum',
      'node_modules/x names a registry',
    ]);
  });
});

describe('examples', () => {
  const texts = filesBelow('examples/texts');

  test('are at least three texts of 1,500 to 15,000 words', () => {
    expect(texts.length).toBeGreaterThanOrEqual(3);
    for (const path of texts) {
      const words = readText(path).split(/\s+/).filter(Boolean).length;
      expect([path, words >= 1_500 && words <= 15_000]).toEqual([path, true]);
    }
  });

  test('are all listed with title, author, year, source and licence', () => {
    const rows = tableRows(readText('examples/README.md'));
    expect(rows.every((row) => row.length === 6 && row.every((cell) => cell !== ''))).toBe(true);
    const listed = rows.map(([link = '']) => link.replace(/^.*\((.*)\)$/, 'examples/$1'));
    expect(listed.sort()).toEqual(texts);
  });
});
