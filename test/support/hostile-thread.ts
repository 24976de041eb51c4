/** A worker thread that does to the pool what bad jobs do: the request's source names the deed. */

import { parentPort, workerData } from 'node:worker_threads';
import type { FromThread, ThreadData, ToThread } from '../../core/runtime/pool/thread-messages.ts';

const culprit = new Int32Array((workerData as ThreadData).culprit);
const post = (message: FromThread): void => parentPort?.postMessage(message, []);
const stopped = new Map<number, () => void>();
let together = 0;

const deeds: Record<string, (run: number) => Promise<string> | string> = {
  'be fine': () => 'fine',
  'be alone?': () => `${together} on this thread`,
  'wait for the stop': (run) =>
    new Promise((resolve) => {
      stopped.set(run, () => resolve('stopped'));
    }),
  'never end': () => new Promise(() => {}),
  'throw out of nowhere': () => {
    setImmediate(() => {
      throw new Error('thrown out of nowhere');
    });
    return new Promise(() => {});
  },
  'exit the process': () => process.exit(3),
  'loop for ever': () => {
    for (;;) Math.sqrt(together);
  },
  'loop, and be named': (run) => {
    Atomics.store(culprit, 0, run);
    for (;;) Math.sqrt(together);
  },
  'eat all memory': (run) => {
    Atomics.store(culprit, 0, run);
    const kept: unknown[] = [];
    for (;;) kept.push(Array.from({ length: 1000 }, (_, index) => ({ index })));
  },
};

parentPort?.on('message', (message: ToThread) => {
  if (message.type === 'stop') stopped.get(message.run)?.();
  else void perform(message.run, message.request.source);
});

async function perform(run: number, source: string): Promise<void> {
  together += 1;
  const model = (await deeds[source]?.(run)) ?? 'no such deed';
  together -= 1;
  const usage = { calls: 0, inputTokens: 0, outputTokens: 0, costMicros: 0, estimated: false };
  const made = { root: '/', files: [], model, provider: '', recovered: false };
  post({ type: 'ended', run, result: { ok: true, ...made, usage } });
}

post({ type: 'ready' });
