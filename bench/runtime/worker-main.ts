/** A hand-written consumer: of texts that its parent sends, or of a BullMQ queue. */

import { join } from 'node:path';
import { loadPackage } from '../server/packages.ts';
import { type Answer, answering } from './hand-written.ts';
import type { Order, WorkerOptions } from './worker-process.ts';

type Process = (job: { readonly id: string; readonly data: { readonly text: string } }) => unknown;

interface Worker {
  on(event: 'completed' | 'failed', listener: (job: unknown, error: Error) => void): void;
  waitUntilReady(): Promise<unknown>;
}

interface BullMq {
  readonly Worker: new (name: string, process: Process, options: object) => Worker;
}

const options = JSON.parse(process.argv[2] ?? '') as WorkerOptions;
const { provider, concurrency, outputDir, redis } = options;
const answer: Answer = answering(provider);
let made = 0;
let missing = 0;

process.on('disconnect', () => process.exit());
process.on('message', (order: Order) => {
  if ('texts' in order) void work(order.texts);
  else missing += order.jobs;
});
if (redis !== undefined) await consume(redis);
process.send?.('ready');

/** At most `concurrency` at a time. */
async function work(texts: readonly string[]): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < texts.length) {
      const text = texts[next++] ?? '';
      await answer(text, join(outputDir, `${made++}.txt`));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  process.send?.('done');
}

async function consume(address: unknown): Promise<void> {
  const { Worker } = loadPackage('bullmq') as BullMq;
  const { port } = address as { port: number };
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
  const process_: Process = ({ id, data }) => answer(data.text, join(outputDir, `${id}.txt`));
  const worker = new Worker('bench', process_, { connection, concurrency });
  worker.on('completed', () => {
    missing -= 1;
    if (missing === 0) process.send?.('done');
  });
  worker.on('failed', (_job, error) => {
    throw error;
  });
  await worker.waitUntilReady();
}
