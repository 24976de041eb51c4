/** Input files: what is text, and what is refused by name. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTextFile } from '../../../core/cli/input/text-file.ts';

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
  ['one byte too many', 'x'.repeat(101), /too large: 101 bytes; 100 bytes are allowed/],
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

test('a directory is refused, with a pattern for its files', async () => {
  const path = join(dir, 'folder');
  await mkdir(path);
  await expect(readTextFile(`${path}/`, 100)).rejects.toMatchObject({
    exit: 'invalid',
    message: expect.stringContaining('is a directory'),
    details: [expect.stringContaining(`${path}/**/*.md`)],
  });
});
