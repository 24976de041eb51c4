/** Input files: what is text, and what is refused by name. */

import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openError, readTextFile } from '../../../../core/cli/input/text-file.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aiq-text-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function fileWith(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, content);
  return path;
}

test('text is decoded as UTF-8 and loses its byte order mark', async () => {
  const path = await fileWith('bom.txt', '\ufeffGrüße, 世界\n');
  expect(await readTextFile(path, 100)).toBe('Grüße, 世界\n');
});

const bad: [what: string, content: string | Uint8Array, message: RegExp][] = [
  ['a NUL byte', 'text\0more', /not UTF-8 text/],
  ['bytes that are no UTF-8', new Uint8Array([0x61, 0xff, 0xfe, 0x62]), /not UTF-8 text/],
  ['a cut UTF-8 sequence', new Uint8Array([0x61, 0xe4, 0xb8]), /not UTF-8 text/],
  ['nothing', '', /is empty/],
  ['blanks only', ' \n\t\n', /is empty/],
  ['one byte too many', 'x'.repeat(101), /too large: 101 bytes; the limit is 100 bytes/],
];

test.each(bad)('a file with %s is refused by name', async (what, content, message) => {
  const path = await fileWith(`${what.replaceAll(' ', '-')}.txt`, content);
  const error = await readTextFile(path, 100).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ exit: 'invalid', message: expect.stringMatching(message) });
  expect((error as Error).message).toContain(path);
});

test('a file of exactly the limit is read', async () => {
  const path = await fileWith('full.txt', 'x'.repeat(100));
  expect(await readTextFile(path, 100)).toHaveLength(100);
});

test('a missing file is refused, with the way to give the text itself where there is one', async () => {
  const path = join(dir, 'missing.txt');
  const message = `no such file: ${path}`;
  const error = { exit: 'invalid', message };
  await expect(readTextFile(path, 100)).rejects.toMatchObject({ ...error, details: [] });
  const hinted = readTextFile(path, 100, 'Then: --text x');
  await expect(hinted).rejects.toMatchObject({ ...error, details: ['Then: --text x'] });
});

test.each([
  ['one name', 'word '.repeat(80)],
  ['more than any path', `${'some words/'.repeat(500)}end`],
])('a text given as a file is refused as a missing one, and shortened: %s', async (_, text) => {
  const error = await readTextFile(text, 100, 'Then: --text x').catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    exit: 'invalid',
    message: expect.stringMatching(/^no such file: .{20,200}…$/),
    details: ['Then: --text x'],
  });
});

describe('what is there and cannot be read is refused by name, with the reason in words', () => {
  const refused = async (name: string, reason: string): Promise<void> => {
    const path = join(dir, name);
    const message = `${path} cannot be read: ${reason}`;
    await expect(readTextFile(path, 100)).rejects.toMatchObject({ exit: 'invalid', message });
  };

  test('links in a circle', async () => {
    await symlink('circle-b', join(dir, 'circle-a'));
    await symlink('circle-a', join(dir, 'circle-b'));
    await refused('circle-a', 'too many levels of symbolic links');
  });

  test('a socket', async () => {
    const server = createServer().listen(join(dir, 'socket'));
    await once(server, 'listening');
    await refused('socket', 'it is a socket or a device');
    server.close();
  });

  test.each([
    ['EIO', -5, 'i/o error'],
    ['EMFILE', -24, 'too many open files'],
  ])('%s', (code, errno, reason) => {
    const error = Object.assign(new Error(code), { code, errno });
    const message = `a.md cannot be read: ${reason}`;
    expect(openError('a.md', error, null)).toMatchObject({ exit: 'invalid', message });
  });
});

test('a directory is refused, with a pattern for its files', async () => {
  const path = join(dir, 'folder');
  await mkdir(path);
  await expect(readTextFile(`${path}/`, 100)).rejects.toMatchObject({
    exit: 'invalid',
    message: expect.stringContaining('is a directory'),
    details: [expect.stringContaining(`${path}/**/*.md`)],
  });
});
