/** What a command loads: start-up stays quick only as long as it loads no more than it needs. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Project } from '../../support/project.ts';

/** Appends every module that Node resolves to a file. */
const tracer = `
import { registerHooks } from 'node:module';
import { appendFileSync } from 'node:fs';
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    appendFileSync(process.env.AIQ_TEST_TRACE, resolved.url + '\\n');
    return resolved;
  },
});
`;

let tracerDir: string;
let project: Project;

beforeAll(async () => {
  tracerDir = await mkdtemp(join(tmpdir(), 'aiq-tracer-'));
  const file = join(tracerDir, 'tracer.mjs');
  await writeFile(file, tracer);
  // The trace is relative to the working folder, so that the broker's goes elsewhere.
  project = await Project.make({ NODE_OPTIONS: `--import ${file}`, AIQ_TEST_TRACE: 'trace.txt' });
});

afterAll(async () => {
  await project.remove();
  await rm(tracerDir, { recursive: true });
});

/** Names of packages and of core's layers that the command loaded. */
async function loadedBy(...args: string[]): Promise<Set<string>> {
  await project.write('trace.txt', '');
  const finished = await project.aiq(...args);
  expect(finished, finished.stderr).toMatchObject({ code: 0 });
  const urls = (await project.read('trace.txt')).split('\n');
  const names = urls.flatMap((url) => /\/(?:node_modules|core)\/([^/]+)\//.exec(url)?.[1] ?? []);
  expect(names).toContain('commander');
  return new Set(names);
}

test('--help loads commander, the command line and its leaf alone', async () => {
  const own = new Set(['commander', 'cli', 'base']);
  expect([...(await loadedBy('--help'))].filter((name) => !own.has(name))).toEqual([]);
});

test('enqueue loads neither the model, nor the runtime, nor globbing', async () => {
  await project.write('a.txt', 'A text.');
  const loaded = await loadedBy('enqueue', 'summarize', 'a.txt');
  expect(loaded).toContain('ajv');
  for (const name of ['openai', 'model', 'runtime', 'fast-glob', 'pino']) {
    expect(loaded).not.toContain(name);
  }
});
