/** Results that outlive the process that made them, and when they do not. */

import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const base = join(import.meta.dirname, '../../../core/base/index.ts');

let root: string;
let sources: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'aiq-kept-'));
  sources = join(root, 'sources');
  mkdirSync(sources);
  writeFileSync(join(sources, 'make.ts'), '1');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

/** What a new process finds for the input `a`; it keeps `made` for it first, if that is given. */
function found(made: string | null, env: NodeJS.ProcessEnv = cached()): unknown {
  const script = `
    const { KeptResults } = await import(${JSON.stringify(base)});
    const results = new KeptResults('test', ${JSON.stringify(sources)});
    const made = ${JSON.stringify(made)};
    if (made !== null) results.keep('a', made);
    console.log(JSON.stringify(results.find('a')));`;
  const args = ['--input-type=module', '-e', script];
  return JSON.parse(execFileSync(process.execPath, args, { env, encoding: 'utf8' }));
}

function cached(): NodeJS.ProcessEnv {
  return { ...process.env, NODE_COMPILE_CACHE: join(root, 'cache') };
}

/** The folder of the results, below that of this Node. */
function folder(): string {
  const [version = ''] = readdirSync(join(root, 'cache'));
  return join(root, 'cache', version, 'aiq/test');
}

function onlyFile(): string {
  const [name = ''] = readdirSync(folder());
  return join(folder(), name);
}

test('another process finds what one has kept, and its user alone may read it', () => {
  expect(found(null)).toBeNull();
  found('text');
  expect(found(null)).toBe('text');
  expect(statSync(onlyFile()).mode & 0o777).toBe(0o600);
});

test('nothing is kept without the cache of Node', () => {
  const env = { ...process.env, NODE_COMPILE_CACHE: undefined };
  expect(found('text', env)).toBeNull();
});

test('a damaged result is none, and the next one replaces it', () => {
  found('text');
  appendFileSync(onlyFile(), 'x');
  expect(found(null)).toBeNull();
  found('text');
  expect(found(null)).toBe('text');
});

test('a change of the code that makes them voids the results', () => {
  found('text');
  appendFileSync(join(sources, 'make.ts'), '2');
  expect(found(null)).toBeNull();
});

test('over a bound all of them go', () => {
  found('text');
  for (let at = 1; at < 1_000; at++) writeFileSync(join(folder(), `${at}`), '');
  found('text');
  expect(readdirSync(folder())).toHaveLength(1);
});

test('a folder that takes no files keeps nothing, and nothing fails', () => {
  found('text');
  rmSync(folder(), { recursive: true });
  writeFileSync(folder(), '');
  expect(found('text')).toBeNull();
});
