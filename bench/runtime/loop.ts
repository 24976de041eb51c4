/** A bounded loop around the `openai` package, without a queue. */

import { join } from 'node:path';
import type { Contestant } from './contestant.ts';
import { WorkerProcess } from './worker-process.ts';

export const loop: Contestant = {
  name: 'loop',
  title: 'p-limit + openai, by hand',
  missing: null,
  async start({ dir, provider, concurrency }) {
    const outputDir = join(dir, 'out');
    const worker = await WorkerProcess.start({ provider, concurrency, outputDir });
    return {
      pid: worker.pid,
      serverPid: null,
      outputDir,
      run: (texts) => worker.finished(texts),
      stop: () => worker.stop(),
    };
  },
};
