/**
 * `node test/measure/path-of-a-job.ts [CLONE]`: prints the files of `core/` that a broker runs for one
 * enqueue, one delivery and one settle, from the socket to the disk and back, and how many they are.
 */

import { resolve } from 'node:path';
import { type Step, traceJob } from './trace-job.ts';

const trace = await traceJob(resolve(process.argv[2] ?? '.'));
for (const step of ['enqueue', 'delivery', 'settle'] as const satisfies readonly Step[]) {
  const rows = trace[step].map(
    ({ file, threads, functions }) => `  ${file} (${threads.join(', ')}): ${functions.join(' ')}\n`,
  );
  process.stdout.write(`${step}: ${rows.length} files\n${rows.join('')}`);
}
