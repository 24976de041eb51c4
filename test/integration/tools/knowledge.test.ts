/** Looking into files: what is found, what stays out of reach, and what happens when files change. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Agent } from '../../../core/agent/index.ts';
import { loadTools, pinKnowledge, type ToolContext } from '../../../core/tools/index.ts';
import { knowledgeLimits } from '../../../core/tools/knowledge/files.ts';
import { publish as publishTexts } from '../../support/results.ts';
import { agentOf } from '../../support/runtime-fakes.ts';
import { folderWith, knowledgeOf, put } from '../../unit/tools/knowledge-folder.ts';

const files = {
  'docs/mill.md':
    '# The mill\n\nThe mill burned in the winter of 1901.\n\nBrick replaced the timber.\n',
  'docs/river.txt': 'The river rises in the hills and drives two mills.\n',
  'docs/deep/crossing.md': 'A ferry crosses the river at noon.\n',
};

async function call(root: string, name: string, args: object, parts: Partial<Agent> = {}) {
  const [tool] = await loadTools({ dir: root, tools: [name] });
  const context: ToolContext = {
    signal: new AbortController().signal,
    agent: { ...agentOf(), ...parts },
    job: { id: 'j', attempt: 1 },
    baseDir: root,
    knowledge: knowledgeOf(root, ['docs/**/*']),
  };
  return (await tool!.run(args as never, context)) as { [name: string]: unknown };
}

describe('search', () => {
  test('returns the best passages word for word, with path, lines and score', async () => {
    const root = folderWith(files);
    const result = await call(root, 'search_files', {
      query: 'When did the mills burn?',
      limit: 8,
    });
    expect(result).toMatchObject({ files: 3 });
    const [best, ...others] = result['passages'] as { path: string; text: string; score: number }[];
    expect(best).toMatchObject({ path: 'docs/mill.md', lines: '1-5' });
    expect(files['docs/mill.md']).toContain(best!.text);
    for (const other of others) expect(other.score).toBeLessThanOrEqual(best!.score);
  });

  test('says so when nothing fits, and when there is nothing to look into', async () => {
    const root = folderWith(files);
    const nothing = await call(root, 'search_files', { query: 'espresso', limit: 8 });
    expect(nothing).toMatchObject({
      passages: [],
      files: 3,
      note: 'No passage has these words. Try others.',
    });
    const empty = folderWith({ 'other.md': 'text' });
    const knowledge = [{ include: ['docs/**'], exclude: [], chunkSize: 400 }];
    const none = await call(empty, 'search_files', { query: 'text', limit: 8 }, { knowledge });
    expect(none).toMatchObject({ files: 0, note: 'No file matches the patterns docs/**.' });
  });

  test('sees files that came, changed and went, without being told', async () => {
    const root = folderWith(files);
    const knowledge = knowledgeOf(root);
    const pathsFor = async (query: string) =>
      (await knowledge.search(query, 9)).passages.map(({ path }) => path);
    expect(await pathsFor('ferry')).toEqual(['docs/deep/crossing.md']);
    put(root, 'docs/deep/crossing.md', 'A bridge took its place.\n');
    put(root, 'docs/new.md', 'The ferry sank.\n');
    expect(await pathsFor('ferry')).toEqual(['docs/new.md']);
    expect(await pathsFor('bridge')).toEqual(['docs/deep/crossing.md']);
    rmSync(join(root, 'docs/deep'), { recursive: true });
    expect(await pathsFor('ferry')).toEqual(['docs/new.md']);
    expect(await pathsFor('bridge')).toEqual([]);
  });

  test('names what it left out: no text, and over the limits', async () => {
    const root = folderWith({
      ...files,
      'docs/photo.jpg': Buffer.from([0xff, 0xd8, 0, 1]),
      'docs/latin.txt': Buffer.from([0x63, 0xe9, 0x65]),
      'docs/huge.txt': 'mill '.repeat(knowledgeLimits.fileBytesMax / 5 + 1),
    });
    const { leftOut, files: searched } = await knowledgeOf(root).search('mill', 5);
    expect(searched).toBe(3);
    expect(leftOut).toEqual([
      expect.stringMatching(/^docs\/huge\.txt: over/),
      'docs/latin.txt: no text in UTF-8',
      'docs/photo.jpg: no text in UTF-8',
    ]);
  });
});

test('formats that are no text are named with the fix, take no room, and a long book is searched', async () => {
  const room = Math.floor(knowledgeLimits.totalBytesMax / 2) - 1;
  const root = folderWith({
    'docs/a.pdf': 'x'.repeat(room),
    'docs/b.PDF': 'x'.repeat(room),
    'docs/c.docx': 'x'.repeat(room),
    'docs/z-book.txt': `${'A long book about rivers.\n\n'.repeat(80_000)}The heron wades at dawn.\n`,
  });
  const knowledge = knowledgeOf(root);
  const { passages, leftOut } = await knowledge.search('heron', 3);
  expect(passages.map(({ path }) => path)).toEqual(['docs/z-book.txt']);
  expect(leftOut).toEqual([
    expect.stringMatching(/^docs\/a\.pdf: a PDF; .*pdftotext/),
    expect.stringMatching(/^docs\/b\.PDF: a PDF/),
    expect.stringMatching(/^docs\/c\.docx: a document; .*pandoc/),
  ]);
  const agent = agentOf({
    tools: ['search_files'],
    knowledge: [{ include: ['docs/**'], exclude: [], chunkSize: 400 }],
  });
  expect((await pinKnowledge(agent, root)).leftOut).toEqual(leftOut);
});

describe('results of jobs', () => {
  const publish = (root: string, jobId: string, path: string) =>
    publishTexts(root, jobId, { [path]: 'The canary sings.\n' });

  test('are no knowledge, wherever they lie, and what lies beside them is', async () => {
    const root = folderWith({ ...files, 'docs/own.md': 'The canary sings, too.\n' });
    await publish(join(root, 'out'), 'job1', 'summaries/a.md');
    await publish(join(root, 'docs'), 'job2', 'b.md');
    await publish(root, 'job3', 'c.md');
    await publish(join(root, 'elsewhere/deep'), 'job4', 'd.md');
    put(root, 'out/notes.md', 'The canary sings here.\n');
    const knowledge = knowledgeOf(root, ['**/*.md']);
    const { passages, leftOut } = await knowledge.search('canary', 9);
    expect(passages.map(({ path }) => path).sort()).toEqual(['docs/own.md', 'out/notes.md']);
    expect(leftOut).toEqual([]);
    expect(await knowledge.read('c.md')).toBe(null);
  });

  test('change no job that reads the folder', async () => {
    const root = folderWith(files);
    const agent = agentOf({
      tools: ['search_files'],
      knowledge: [{ include: ['**/*.md'], exclude: [], chunkSize: 400 }],
    });
    const before = await pinKnowledge(agent, root);
    await publish(join(root, 'out'), 'job1', 'a.md');
    expect(await pinKnowledge(agent, root)).toEqual(before);
  });
});

test('lists of numbers fill the index up to a limit, and make room again when they go', async () => {
  const numbers = (from: number) =>
    Array.from({ length: 130_000 }, (_, index) => `${from + index}`).join(' ');
  const root = folderWith({ 'a.csv': numbers(100_000), 'b.csv': numbers(300_000), 'z.md': 'mill' });
  const knowledge = knowledgeOf(root, ['*.*']);
  const first = await knowledge.search('mill', 3);
  expect(first).toMatchObject({ passages: [], files: 2 });
  expect(first.leftOut).toEqual(['z.md: the files have too many different words']);
  rmSync(join(root, 'b.csv'));
  await expect.poll(async () => (await knowledge.search('mill', 3)).passages.length).toBe(1);
});

describe('out of reach', () => {
  const secret = 'the canary sings';

  test('are links, pipes, hidden files, ignored files and everything outside, whatever a pattern says', async () => {
    const outside = folderWith({ 'secret.md': secret, 'docs/secret.md': secret });
    const root = folderWith({
      ...files,
      '.gitignore': 'private/\n',
      'private/secret.md': secret,
      '.hidden/secret.md': secret,
      'docs/.env': secret,
      'node_modules/x/secret.md': secret,
      '.aiq/secret.md': secret,
    });
    symlinkSync(join(outside, 'secret.md'), join(root, 'docs', 'link.md'));
    symlinkSync(join(outside, 'docs'), join(root, 'linked'));
    symlinkSync(join(root, 'docs'), join(root, 'again'));
    execFileSync('mkfifo', [join(root, 'docs', 'pipe.md')]);
    const patterns = [
      '**/*',
      'linked/*.md',
      'again/**',
      '../**/*',
      `${outside}/**`,
      'docs/pipe.md',
    ];
    const knowledge = knowledgeOf(root, patterns);
    expect(await knowledge.paths()).toEqual(Object.keys(files).toSorted());
    expect((await knowledge.search('canary', 9)).passages).toEqual([]);
  });

  test.each([
    '../secret.md',
    '/etc/passwd',
    'docs/../../secret.md',
    'docs/../docs/mill.md',
    'docs/mill.md\0',
    'docs',
    'linked/secret.md',
    'DOCS/mill.md',
    '',
    '..',
    '\\etc\\passwd',
  ])('read_file refuses %j', async (path) => {
    const root = folderWith(files);
    put(join(root, '..'), `${root.split('/').at(-1)}-secret.md`, secret);
    rmSync(`${root}-secret.md`);
    await expect(call(root, 'read_file', { path, from: 1 })).rejects.toThrow(
      /none of the files that may be read/,
    );
  });

  test('is a folder that became a link after it was listed', async () => {
    const outside = folderWith({ 'mill.md': secret });
    const root = folderWith(files);
    const { readListed } = await import('../../../core/tools/knowledge/files.ts');
    expect(await readListed(root, 'docs/mill.md')).not.toBeNull();
    renameSync(join(root, 'docs'), join(root, 'moved'));
    symlinkSync(outside, join(root, 'docs'));
    expect(await readListed(root, 'docs/mill.md')).toBeNull();
    rmSync(join(root, 'docs'));
    mkdirSync(join(root, 'docs', 'mill.md'), { recursive: true });
    expect(await readListed(root, 'docs/mill.md')).toBeNull();
  });
});

describe('read_file', () => {
  test('returns the lines that were asked for', async () => {
    const root = folderWith(files);
    expect(await call(root, 'read_file', { path: './docs/mill.md', from: 3, to: 3 })).toMatchObject(
      {
        lines: '3-3',
        linesInAll: 6,
        text: 'The mill burned in the winter of 1901.',
      },
    );
    await expect(call(root, 'read_file', { path: 'docs/mill.md', from: 99 })).rejects.toThrow(
      'has 6 lines',
    );
  });

  test('gives a long file in parts that join to the whole', async () => {
    const whole = Array.from({ length: 3000 }, (_, index) => `line ${index} of the log`).join('\n');
    const root = folderWith({ 'docs/log.txt': whole });
    const parts: string[] = [];
    for (let from = 1; from <= 3000; ) {
      const part = await call(root, 'read_file', { path: 'docs/log.txt', from });
      expect(Buffer.byteLength(part['text'] as string)).toBeLessThanOrEqual(24 * 1024);
      parts.push(part['text'] as string);
      from = Number((part['lines'] as string).split('-')[1]) + 1;
    }
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.join('\n')).toBe(whole);
  });
});

describe('the identity of a job', () => {
  const agent = agentOf({
    tools: ['search_files'],
    knowledge: [{ include: ['docs/**'], exclude: [], chunkSize: 400 }],
  });

  test('covers the files that the agent reads: paths and contents, and nothing else', async () => {
    const root = folderWith(files);
    const digest = async () => (await pinKnowledge(agent, root)).agent.digest;
    const first = await digest();
    expect(first).not.toBe(agent.digest);
    put(root, 'elsewhere.md', 'new');
    put(root, 'docs/mill.md', files['docs/mill.md']);
    expect(await digest()).toBe(first);
    put(root, 'docs/mill.md', files['docs/mill.md'].replace('1901', '1902'));
    const second = await digest();
    renameSync(join(root, 'docs/mill.md'), join(root, 'docs/mills.md'));
    const third = await digest();
    expect(new Set([first, second, third]).size).toBe(3);
  });

  test('is the same on another machine that has the same files', async () => {
    const [one, two] = [folderWith(files), folderWith(files)];
    expect(await pinKnowledge(agent, one)).toEqual(await pinKnowledge(agent, two));
    expect((await pinKnowledge(agent, one)).files).toBe(3);
  });

  test('is the agent’s own when it reads no files', async () => {
    const plain = agentOf();
    expect(await pinKnowledge(plain, '/nowhere')).toEqual({ agent: plain, files: null });
  });
});
