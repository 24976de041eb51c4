/**
 * The process of one isolated run. This thread does nothing but pass messages on and report how much
 * memory the process takes, so nothing that the job does keeps it from that; the job is in a worker
 * thread, the same as in the consumer's pool. The process ends with its consumer, however that ends.
 */

import { writeFile } from 'node:fs/promises';
import { Questions } from '../pool/questions.ts';
import { Thread } from '../pool/thread.ts';
import type { FromProcess, ToProcess } from './process-messages.ts';

/** The only run of its thread. */
const run = 1;
/** A job fills memory at some GiB a second at most. */
const memoryEveryMs = 50;

let thread: Thread | null = null;
const questions = new Questions((question) => post(question));

if (process.send === undefined) throw new Error('this file is started by a consumer, not by hand');
process.on('message', (message: ToProcess) => receive(message));
// The whole group, so that what the job started ends too. No consumer is left to report to.
process.on('disconnect', () => process.kill(-process.pid, 'SIGKILL'));
void offerToTheKernel();

function receive(message: ToProcess): void {
  if (message.type === 'begin') void work(message);
  else if (message.type === 'stop') thread?.stop(run, message.reason);
  else questions.answered(message);
}

async function work(begin: ToProcess & { type: 'begin' }): Promise<void> {
  const { entry, data, heapMegabytesMax, request } = begin;
  setInterval(
    () => post({ type: 'memory', residentBytes: process.memoryUsage.rss() }),
    memoryEveryMs,
  );
  thread = new Thread({
    entry: new URL(entry),
    data,
    heapMegabytesMax,
    onReady: () => {},
    onExit: () => {},
  });
  post({ type: 'ended', end: await thread.run(run, request, questions.of(run)) });
}

function post(message: FromProcess): void {
  process.send?.(message);
}

/** When memory runs short, Linux is to end this process before any other. */
async function offerToTheKernel(): Promise<void> {
  if (process.platform !== 'linux') return;
  await writeFile('/proc/self/oom_score_adj', '1000').catch(() => {});
}
