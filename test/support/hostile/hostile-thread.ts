/**
 * A worker thread that does to the pool, or to its process, what bad jobs do: the request's source
 * names the deed.
 */

import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { JobUsage } from '../../../core/runtime/attempt/usage.ts';
import type {
  FromThread,
  ThreadData,
  ToThread,
} from '../../../core/runtime/pool/thread-messages.ts';

const activeRun = new Int32Array((workerData as ThreadData).activeRun);
const post = (message: FromThread): void => parentPort?.postMessage([message], []);
const stopped = new Map<number, () => void>();
let together = 0;
let answered: (told: string) => void = () => {};

const nothing: JobUsage = {
  calls: 0,
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  reasoningTokens: 0,
  costMicros: 0,
  estimated: false,
};

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
    Atomics.store(activeRun, 0, run);
    for (;;) Math.sqrt(together);
  },
  'tell the process': () => String(process.pid),
  'kill the process': () => {
    process.kill(process.pid, 'SIGKILL');
    return new Promise(() => {});
  },
  'abort the process': () => {
    writeSync(2, 'the key is sk-test-very-secret-key\nlast words\n');
    process.kill(process.pid, 'SIGABRT');
    return new Promise(() => {});
  },
  'leave a process behind': () => {
    const left = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
      stdio: 'ignore',
    });
    return String(left.pid);
  },
  'say who it is, and loop for ever': () => {
    writeSync(2, `process ${process.pid}\n`);
    for (;;) Math.sqrt(together);
  },
  'ask the journal': () => ask(null),
  'put into the journal': () => ask(Buffer.from('mine')),
  'eat all memory in Buffers': (run) => {
    Atomics.store(activeRun, 0, run);
    const kept: unknown[] = [];
    for (;;) kept.push(Buffer.alloc(1024 * 1024, 1));
  },
  'eat all memory': (run) => {
    Atomics.store(activeRun, 0, run);
    const kept: unknown[] = [];
    for (;;) kept.push(Array.from({ length: 1000 }, (_, index) => ({ index })));
  },
};

parentPort?.on('message', (messages: readonly ToThread[]) => {
  for (const message of messages) receive(message);
});

function receive(message: ToThread): void {
  if (message.type === 'stop') stopped.get(message.run)?.();
  else if (message.type === 'run') void perform(message.run, message.request.source);
  else if (message.type === 'answer')
    answered(
      message.value instanceof Uint8Array ? Buffer.from(message.value).toString() : 'nothing',
    );
}

/** Asks the journal, in the name of run 1, what stands under one hash. */
function ask(value: Uint8Array | null): Promise<string> {
  const asked = { of: 'journal', callHash: Buffer.from('hash'), value } as const;
  post({ type: 'question', run: 1, question: 7, asked });
  return new Promise((resolve) => {
    answered = resolve;
  });
}

async function perform(run: number, source: string): Promise<void> {
  together += 1;
  const model = (await deeds[source]?.(run)) ?? 'no such deed';
  together -= 1;
  const usage = nothing;
  const made = { root: '/', files: [], model, provider: '', recovered: false } as const;
  const none = { overwrite: 'number', replaces: null, wasFree: null } as const;
  post({
    type: 'ended',
    run,
    result: { ok: true, ...made, ...none, provenance: {}, prompts: null, usage },
  });
}

post({ type: 'ready' });
