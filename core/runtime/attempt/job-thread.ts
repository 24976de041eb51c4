/**
 * The entry of a worker thread: takes runs, answers each one once. It holds agents and model
 * callers, and never a lease.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { joined } from '../pool/joined.ts';
import { Questions } from '../pool/questions.ts';
import {
  type FromThread,
  fromThread,
  type ThreadData,
  type ToThread,
} from '../pool/thread-messages.ts';
import { AttemptError } from './failure.ts';
import { runJob } from './job-runner.ts';
import type { JobRequest, StopReason } from './result.ts';
import { createToolbox } from './tools/toolbox.ts';

const stopMessages: Record<StopReason, string> = {
  shutdown: 'the consumer stopped before the job was done',
  cancelled: 'the job was cancelled',
  lease_lost: 'the lease was lost',
};

const port = parentPort;
if (port === null) throw new Error('job-thread.ts is started as a worker thread, not by hand');
const post = joined<FromThread>((messages) => port.postMessage(messages.map(fromThread), []));

const toolbox = createToolbox(workerData as ThreadData);
const stops = new Map<number, AbortController>();

const questions = new Questions((question, run) => post({ ...question, run }));

port.on('message', (messages: readonly ToThread[]) => {
  for (const message of messages) receive(message);
});

function receive(message: ToThread): void {
  if (message.type === 'stop') stopRun(message.run, message.reason);
  else if (message.type === 'run') void start(message.run, message.request);
  else if (message.type === 'adopt') toolbox.adopt(message.agents);
  else questions.answered(message);
}

async function start(run: number, request: JobRequest): Promise<void> {
  const stop = new AbortController();
  stops.set(run, stop);
  const result = await runJob(toolbox.forRun(run, questions.of(run)), request, stop.signal);
  stops.delete(run);
  post({ type: 'ended', run, result });
}

function stopRun(run: number, reason: StopReason): void {
  stops.get(run)?.abort(new AttemptError('aborted', reason, stopMessages[reason]));
}

post({ type: 'ready' });
toolbox.warm();
