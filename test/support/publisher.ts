/**
 * A process that writes results, driven by tests: `node publisher.ts '<JSON>'`. With `killAt` it kills
 * itself at that step, as a power cut would; otherwise it prints the paths as JSON.
 */

import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { OutputFolder, type Overwrite, type PlaceStep } from '../../core/output/index.ts';

export interface PublisherOrder {
  readonly root: string;
  readonly jobs: readonly { readonly id: string; readonly paths: readonly string[] }[];
  readonly overwrite: Overwrite;
  /** Added to each content, so that the attempts of one job can be told apart. */
  readonly mark: string;
  /** The jobs were settled before: what is missing of them is written. */
  readonly recovers?: boolean;
  readonly killAt?: PlaceStep;
  /** Wait for this file before the first result, so that processes start together. */
  readonly startWhen?: string;
}

const order = JSON.parse(process.argv[2] ?? '{}') as PublisherOrder;
const folder = await OutputFolder.open(order.root, {
  onStep: (step) => {
    if (step === order.killAt) process.kill(process.pid, 'SIGKILL');
  },
});
if (order.startWhen !== undefined) {
  process.stdout.write('ready\n');
  while ((await stat(order.startWhen).catch(() => null)) === null) await sleep(2);
}
const published = await Promise.all(
  order.jobs.map(async ({ id, paths }) => {
    try {
      return { id, paths: await publish(id, paths) };
    } catch (error) {
      return { id, error: error instanceof Error ? error.message : String(error) };
    }
  }),
);
await folder.sync();
await folder.close();
process.stdout.write(`${JSON.stringify(published)}\n`);

async function publish(jobId: string, paths: readonly string[]): Promise<string[]> {
  const { overwrite, recovers = false } = order;
  const names = recovers ? null : await folder.reserve(paths, overwrite);
  const files = paths.map((path, at) => {
    return { path: names?.paths[at] ?? path, content: Buffer.from(contentOf(jobId, path)) };
  });
  const result = { jobId, files, overwrite, replaces: null, provider: '', model: '' };
  try {
    const done = await (recovers ? folder.recover(result) : folder.place(result));
    return done.files.map(({ path }) => path);
  } finally {
    names?.release();
  }
}

/** Long enough that half a file would show. */
function contentOf(id: string, path: string): string {
  return `${order.mark} ${id} ${path}\n`.repeat(200);
}
