/** What a test file's process needs before threads come and go in it: see `vitest.config.ts`. */

import { once } from 'node:events';
import { getCompileCacheDir } from 'node:module';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';

test('threads that tests start take their sources from the cache of the command', async () => {
  const script = `require('node:worker_threads').parentPort.postMessage(require('node:module').getCompileCacheDir())`;
  const worker = new Worker(script, { eval: true, execArgv: [] });
  const [folder] = await once(worker, 'message');
  expect(folder).toMatch(/node_modules\/\.cache\/aiq\//);
  expect(folder).toBe(getCompileCacheDir());
});
