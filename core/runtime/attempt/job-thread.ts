/**
 * The entry of a worker thread: takes runs, answers each one once. It holds agents, model callers
 * and output stores, and never a lease.
 */

import { parentPort, workerData } from 'node:worker_threads';
import type { FromThread, ThreadData, ToThread } from '../pool/thread-messages.ts';
import { AttemptError } from './failure.ts';
import { runJob } from './job-runner.ts';
import type { Journal } from './journal.ts';
import type { JobRequest, StopReason } from './result.ts';
import { createToolbox } from './tools/toolbox.ts';

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

const answers = new Map<number, (value: Uint8Array | null) => void>();
let lastQuestion = 0;

port.on('message', (message: ToThread) => {
  if (message.type === 'stop') stopRun(message.run, message.reason);
  else if (message.type === 'run') void start(message.run, message.request);
  else if (message.type === 'adopt') toolbox.adopt(message.agents);
  else {
    answers.get(message.question)?.(message.value);
    answers.delete(message.question);
  }
});

async function start(run: number, request: JobRequest): Promise<void> {
  const stop = new AbortController();
  stops.set(run, stop);
  const result = await runJob(toolbox.forRun(run, journalOf(run)), request, stop.signal);
  stops.delete(run);
  post({ type: 'ended', run, result });
}

function stopRun(run: number, reason: StopReason): void {
  stops.get(run)?.abort(new AttemptError('aborted', reason, stopMessages[reason]));
}

/** The journal is kept by the main thread, which holds the lease. */
function journalOf(run: number): Journal {
  const ask = (callHash: Uint8Array, value: Uint8Array | null): Promise<Uint8Array | null> => {
    lastQuestion += 1;
    const question = lastQuestion;
    return new Promise((resolve) => {
      answers.set(question, resolve);
      post({ type: 'journal', run, question, callHash, value });
    });
  };
  return {
    get: (callHash) => ask(callHash, null),
    put: async (callHash, value) => (await ask(callHash, value)) ?? value,
  };
}

post({ type: 'ready' });
toolbox.warm();
