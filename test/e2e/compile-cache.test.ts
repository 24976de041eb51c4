/** Where the command line lets Node keep what it compiled: in a folder that only its user writes to. */

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

let root: string;

/** A package with the real `bin/`, whose command prints the folder. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'aiq-cache-'));
  cpSync(fileURLToPath(new URL('../../bin', import.meta.url)), join(root, 'bin'), {
    recursive: true,
  });
  mkdirSync(join(root, 'dist/cli'), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(root, 'dist/folder.js'), 'export const { NODE_COMPILE_CACHE } = process.env;');
  const main = `import { NODE_COMPILE_CACHE } from '../folder.js';
    export async function main() { console.log(NODE_COMPILE_CACHE ?? 'none'); return 0; }`;
  writeFileSync(join(root, 'dist/cli/main.js'), main);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function folderWith(environment: NodeJS.ProcessEnv): string {
  const env = { ...process.env, NODE_COMPILE_CACHE: undefined, ...environment };
  return execFileSync(process.execPath, [join(root, 'bin/aiq.js')], {
    env,
    encoding: 'utf8',
  }).trim();
}

test('it is made in the cache of the user, for the user alone', () => {
  const folder = join(root, 'cache/aiq');
  expect(folderWith({ XDG_CACHE_HOME: join(root, 'cache') })).toBe(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test('one that others may write to is not used', () => {
  mkdirSync(join(root, 'cache/aiq'), { recursive: true });
  chmodSync(join(root, 'cache/aiq'), 0o770);
  expect(folderWith({ XDG_CACHE_HOME: join(root, 'cache') })).toBe('none');
});

test('where none can be made the command runs without', () => {
  expect(folderWith({ XDG_CACHE_HOME: join(root, 'package.json') })).toBe('none');
});

test('one that the environment names is used as it is', () => {
  expect(folderWith({ NODE_COMPILE_CACHE: join(root, 'named') })).toBe(join(root, 'named'));
});
