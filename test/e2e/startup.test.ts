/** What a command loads before it works: counted, because each module takes a share of the start. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const bin = fileURLToPath(new URL('../../bin/aiq.js', import.meta.url));
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'aiq-startup-'));
  writeFileSync(join(dir, 'aiq.config.yaml'), 'broker: file:./.aiq\n');
  // Starts the broker and fills the caches.
  loadedBy('enqueue', 'summarize', '--text', 'first');
});

afterAll(() => {
  loadedBy('broker', 'stop');
  rmSync(dir, { recursive: true, force: true });
});

/** Modules that the command imports, ours by their path below `core/`. */
function loadedBy(...args: string[]): string[] {
  const list = join(dir, 'loaded');
  const hook = `import { appendFileSync, writeFileSync } from 'node:fs';
    import module from 'node:module';
    writeFileSync(${JSON.stringify(list)}, '');
    module.registerHooks({ load(url, context, next) {
      appendFileSync(${JSON.stringify(list)}, url + '\\n');
      return next(url, context);
    } });`;
  const file = join(dir, 'hook.mjs');
  writeFileSync(file, hook);
  execFileSync(process.execPath, ['--import', file, bin, ...args], { cwd: dir, stdio: 'pipe' });
  const urls = readFileSync(list, 'utf8').trim().split('\n');
  return urls.map((url) => url.replace(/^.*\/core\//, 'core/'));
}

test('help loads the tree of commands and no module of Node that is slow to load', () => {
  const loaded = loadedBy('--help');
  expect(loaded.filter((url) => url.startsWith('core/')).length).toBeLessThanOrEqual(14);
  for (const slow of ['node:util', 'node:child_process', 'node:crypto', 'node:net']) {
    expect(loaded).not.toContain(slow);
  }
});

test('enqueue loads what one job takes, and nothing for consuming, watching or starting a broker', () => {
  const loaded = loadedBy('enqueue', 'summarize', '--text', 'second');
  expect(loaded.filter((url) => url.startsWith('core/')).length).toBeLessThanOrEqual(155);
  for (const other of ['core/client/consumer/consumer.ts', 'core/client/watcher.ts']) {
    expect(loaded).not.toContain(other);
  }
  const slow = ['node:util', 'node:child_process'];
  expect(loaded.filter((url) => slow.includes(url))).toEqual([]);
});
