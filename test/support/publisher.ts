/**
 * A process that publishes, driven by tests: `node publisher.ts '<JSON>'`. With `killAt` it kills
 * itself at that step of the given occurrence, as a power cut would; otherwise it prints the
 * records' paths as JSON.
 */

import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Overwrite, openOutput, type PublishStep } from '../../core/output/index.ts';

export interface PublisherOrder {
  readonly root: string;
  readonly jobs: readonly { readonly id: string; readonly paths: readonly string[] }[];
  readonly overwrite: Overwrite;
  /** Added to each content, so that the attempts of one job can be told apart. */
  readonly mark: string;
  readonly killAt?: PublishStep;
  /** Wait for this file before the first publish, so that processes start together. */
  readonly startWhen?: string;
}

const order = JSON.parse(process.argv[2] ?? '{}') as PublisherOrder;
const store = await openOutput(order.root, {
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
    const files = paths.map((path) => ({ path, content: contentOf(id, path) }));
    try {
      const request = { jobId: id, files, overwrite: order.overwrite, provenance: {} };
      return { id, paths: (await store.publish(request)).files.map((file) => file.path) };
    } catch (error) {
      return { id, error: error instanceof Error ? error.message : String(error) };
    }
  }),
);
await store.close();
process.stdout.write(`${JSON.stringify(published)}\n`);

/** Long enough that half a file would show. */
function contentOf(id: string, path: string): string {
  return `${order.mark} ${id} ${path}\n`.repeat(200);
}
