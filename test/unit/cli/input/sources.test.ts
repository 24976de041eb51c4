/** From names and patterns to the files that they stand for. */

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expandSources, sourceName } from '../../../../core/cli/input/sources.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aiq-sources-'));
  await mkdir(join(dir, 'sub', '.hidden'), { recursive: true });
  for (const name of ['b.md', 'a.md', 'c.txt', 'x[1].md', 'sub/d.md', 'sub/.hidden/e.md']) {
    await writeFile(join(dir, name), name);
  }
  await symlink(dir, join(dir, 'sub', 'loop'));
  await symlink(join(dir, 'c.txt'), join(dir, 'linked.lnk'));
  await symlink('circle.lnk', join(dir, 'circle.lnk'));
});
afterAll(() => rm(dir, { recursive: true }));

async function pathsOf(...values: string[]): Promise<string[]> {
  const sources = await expandSources(values);
  return sources.map((path) => path.replace(`${dir}/`, ''));
}

test('a pattern gives its files sorted, without hidden ones and without following links', async () => {
  expect(await pathsOf(`${dir}/**/*.md`)).toEqual(['a.md', 'b.md', 'sub/d.md', 'x[1].md']);
});

test('a pattern finds a link to a file, as a shell would', async () => {
  expect(await pathsOf(`${dir}/*.lnk`)).toEqual(['linked.lnk']);
});

test('names keep their order, and a file given twice is one source', async () => {
  expect(
    await pathsOf(`${dir}/c.txt`, `${dir}/b.md`, `${dir}/*.md`, `${dir}/sub/../c.txt`),
  ).toEqual(['c.txt', 'b.md', 'a.md', 'x[1].md']);
});

test('a file whose name looks like a pattern is itself', async () => {
  expect(await pathsOf(`${dir}/x[1].md`)).toEqual(['x[1].md']);
});

describe('folders of a pattern', () => {
  beforeAll(async () => {
    for (const name of ['p/q/r.md', 'p/q/s/r.md', 'p/t/r.md', 'p/.u/r.md']) {
      await mkdir(join(dir, 'deep', name, '..'), { recursive: true });
      await writeFile(join(dir, 'deep', name), name);
    }
    await symlink(join(dir, 'deep', 'p', 'q'), join(dir, 'deep', 'p', 't', 'link'));
  });

  test.each([
    ['*/*/r.md', ['p/q/r.md', 'p/t/r.md']],
    ['p*/**', ['p/q/r.md', 'p/q/s/r.md', 'p/t/r.md']],
    ['*/**/s/*.md', ['p/q/s/r.md']],
    ['*/{q,q/s}/r.md', ['p/q/r.md', 'p/q/s/r.md']],
    ['*/.u/*.md', ['p/.u/r.md']],
    ['*/*/link/*.md', ['p/t/link/r.md']],
    ['*/*/l*/*.md', null],
  ])('%s', async (pattern, expected) => {
    const found = pathsOf(`${dir}/deep/${pattern}`);
    if (expected === null) return expect(found).rejects.toMatchObject({ exit: 'invalid' });
    expect((await found).map((path) => path.replace('deep/', ''))).toEqual(expected);
  });
});

describe('signs of patterns in names', () => {
  const names = ['d[1]', 'd1', 'e{a,b}', 'ea', 'f*', 'fx', 'g[x] y/d[1]', 'g[x] y/d1'];
  beforeAll(async () => {
    for (const name of names) {
      await mkdir(join(dir, 'signs', name), { recursive: true });
      await writeFile(join(dir, 'signs', name, 'a.txt'), name);
    }
    await writeFile(join(dir, 'signs', 'fx', 'n[1]a.txt'), '');
  });

  test.each([
    ['d[1]/*.txt', ['d[1]/a.txt']],
    ['d\\[1\\]/*.txt', ['d[1]/a.txt']],
    ['d[[]1]/*.txt', ['d[1]/a.txt']],
    ['d[12]/*.txt', ['d1/a.txt']],
    ['e{a,b}/*.txt', ['e{a,b}/a.txt']],
    ['e\\{a,b\\}/*.txt', ['e{a,b}/a.txt']],
    ['f*/a.*', ['f*/a.txt', 'fx/a.txt']],
    ['f\\*/a.*', ['f*/a.txt']],
    ['f?/a.*', ['f*/a.txt', 'fx/a.txt']],
    ['fx/n\\[1\\]?.txt', ['fx/n[1]a.txt']],
    ['g[x] y/d[1]/**/*.txt', ['g[x] y/d[1]/a.txt']],
    ['*/d\\[1\\]/*.txt', ['g[x] y/d[1]/a.txt']],
    ['../signs/d[1]/*.txt', ['d[1]/a.txt']],
  ])('%s', async (pattern, expected) => {
    const paths = await pathsOf(`${dir}/signs/${pattern}`);
    expect(paths.map((path) => path.replace('signs/', ''))).toEqual(expected);
  });

  test('one that matches nothing is told with the way to mean a sign itself', async () => {
    const text = `${'Which one? '.repeat(40)} / ${'That [one]. '.repeat(40)} / *`;
    await expect(expandSources([text])).rejects.toMatchObject({ exit: 'invalid' });
    await expect(expandSources([`${dir}/x[2]/*.md`])).rejects.toMatchObject({
      details: [expect.any(String), expect.stringContaining('\\[ \\] \\* \\?')],
    });
  });
});

test('a pattern without a match is refused', async () => {
  await expect(expandSources([`${dir}/*.pdf`])).rejects.toMatchObject({
    exit: 'invalid',
    message: expect.stringContaining('*.pdf'),
  });
});

test('- is standard input, once', async () => {
  expect(await pathsOf('-', '-')).toEqual(['-']);
});

test('the source of a job is the file name without its extension', () => {
  expect(['docs/mill.md', 'README', '.env', 'a.tar.gz'].map(sourceName)).toEqual([
    'mill',
    'README',
    '.env',
    'a.tar',
  ]);
});

test('a question is a pattern that matches nothing: the error says how to give text', async () => {
  await expect(expandSources(['Who may declare war?'])).rejects.toMatchObject({
    message: 'no file matches "Who may declare war?"',
    details: ['Is it the text itself? Then: --text "Who may declare war?"'],
  });
});
