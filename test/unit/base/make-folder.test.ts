/** Folders are made step by step, and whatever stands in the way is named. */

import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FolderError, makeFolder } from '../../../core/base/index.ts';

let base: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'aiq-files-'));
});
afterEach(async () => {
  await rm(base, { recursive: true });
});

function failureOf(path: string): FolderError {
  try {
    makeFolder(path);
  } catch (error) {
    if (error instanceof FolderError) return error;
    throw error;
  }
  throw new Error(`${path} was made`);
}

test('missing parents are made with the mode, and the topmost of them is told', async () => {
  expect(makeFolder(join(base, 'a/b/c'), 0o700)).toBe(join(base, 'a'));
  expect((await stat(join(base, 'a/b/c'))).mode & 0o777).toBe(0o700);
  expect(makeFolder(join(base, 'a/b/c'))).toBeNull();
  expect(makeFolder(join(base, 'a/b/d/'))).toBe(join(base, 'a/b/d'));
});

test('a link to a folder is as good as the folder', async () => {
  makeFolder(join(base, 'real'));
  await symlink('real', join(base, 'link'));
  makeFolder(join(base, 'link/below'));
  expect(existsSync(join(base, 'real/below'))).toBe(true);
});

test('a file in the way is named, wherever it stands on the path', async () => {
  const file = join(base, 'file');
  await writeFile(file, '');
  for (const path of [file, join(file, 'a'), join(file, 'a/b')]) {
    const error = failureOf(path);
    expect(error.code).toBe('ENOTDIR');
    expect(error.message).toBe(`cannot make the folder ${path}: ${file} is a file (ENOTDIR)`);
  }
});

test('a link that leads nowhere is named with its target', async () => {
  await symlink('/nowhere/at/all', join(base, 'link'));
  const error = failureOf(join(base, 'link/a'));
  expect(error.message).toContain(`${join(base, 'link')} is a link to /nowhere/at/all`);
});

test('links in a circle and a name that is too long are refused', async () => {
  await symlink('loop', join(base, 'loop'));
  expect(failureOf(join(base, 'loop/a')).code).toBe('ELOOP');
  expect(failureOf(join(base, 'x'.repeat(300), 'a')).code).toBe('ENAMETOOLONG');
});

// Node's recursive mkdir spins for ever on this path.
test.runIf(existsSync('/proc/self'))('a file system without new folders is refused at once', () => {
  const error = failureOf('/proc/aiq-test/a');
  expect(error.code).toBe('ENOENT');
  expect(error.message).toContain('/proc takes no new folders');
});
