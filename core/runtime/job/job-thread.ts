/**
 * The entry of a worker thread: takes runs, answers each one once. It holds agents, model callers
 * and output stores, and never a lease.
 */

import { parentPort, workerData } from 'node:worker_threads';
import type { FromThread, ThreadData, ToThread } from '../pool/thread-messages.ts';
import { AttemptError } from './failure.ts';
import { runJob } from './job-runner.ts';
import type { JobRequest, StopReason } from './result.ts';
import { createToolbox } from './toolbox.ts';

const stopMessages: Record<StopReason, string> = {
  shutdown: 'the consumer stopped before the job was done',
  cancelled: 'the job was cancelled',
  lease_lost: 'the lease was lost',
};

const port = parentPort;
if (port === null) throw new Error('job-thread.ts is started as a worker thread, not by hand');
const post = (message: FromThread): void => port.postMessage(message, []);

const toolbox = createToolbox(workerData as ThreadData);
const stops = new Map<number, AbortController>();

port.on('message', (message: ToThread) => {
  if (message.type === 'stop') {
    const { reason } = message;
    const error = new AttemptError('aborted', reason, stopMessages[reason]);
    stops.get(message.run)?.abort(error);
    return;
  }
  void start(message.run, message.request);
});

async function start(run: number, request: JobRequest): Promise<void> {
  const stop = new AbortController();
  stops.set(run, stop);
  const result = await runJob(toolbox.forRun(run), request, stop.signal);
  stops.delete(run);
  post({ type: 'ended', run, result });
}

post({ type: 'ready' });
toolbox.warm();
