/**
 * One worker thread and the runs that are on it. Whatever happens to the thread, every run ends
 * exactly once: with its result, or with what the thread's death means for it.
 */

import { Worker } from 'node:worker_threads';
import type { JobRequest, JobResult, StopReason } from '../job/result.ts';
import type { FromThread, ThreadData, ToThread } from './thread-messages.ts';

/**
 * How a run ended. `crashed`: the thread died, and this run may be why. `bystander`: the thread
 * died of another run. `unstarted`: it was stopped before it had a thread.
 */
export type RunEnd =
  | { readonly type: 'finished'; readonly result: JobResult }
  | { readonly type: 'crashed' | 'bystander'; readonly message: string }
  | { readonly type: 'unstarted' };

const states = {
  starting: { ready: 'ready', end: 'stopping', exit: 'gone' },
  ready: { ready: 'ready', end: 'stopping', exit: 'gone' },
  stopping: { ready: 'stopping', end: 'stopping', exit: 'gone' },
  gone: { ready: 'gone', end: 'gone', exit: 'gone' },
} as const;
export type ThreadState = keyof typeof states;
type ThreadEvent = keyof (typeof states)[ThreadState];

export interface ThreadOptions {
  /** The file that the thread runs. */
  readonly entry: URL;
  readonly data: Omit<ThreadData, 'culprit'>;
  readonly heapMegabytesMax: number;
  readonly onReady: () => void;
  /** `state` is the one it died in. */
  readonly onGone: (state: ThreadState, message: string) => void;
}

export class Thread {
  readonly #options: ThreadOptions;
  readonly #worker: Worker;
  readonly #runs = new Map<number, (end: RunEnd) => void>();
  readonly #culprit = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #state: ThreadState = 'starting';
  #lastWords = '';
  #suspect = 0;

  constructor(options: ThreadOptions) {
    this.#options = options;
    this.#worker = new Worker(options.entry, {
      workerData: { ...options.data, culprit: this.#culprit.buffer },
      resourceLimits: { maxOldGenerationSizeMb: options.heapMegabytesMax },
      stdout: true,
    });
    // What an agent's code prints must not stand among the results of a command.
    this.#worker.stdout.pipe(process.stderr, { end: false });
    this.#worker.on('message', (message: FromThread) => this.#receive(message));
    this.#worker.on('messageerror', () => void this.end('it sent a message that cannot be read'));
    this.#worker.on('error', (error: unknown) => {
      this.#lastWords ||= error instanceof Error ? error.message : String(error);
    });
    this.#worker.on('exit', (code) => this.#gone(code));
  }

  get state(): ThreadState {
    return this.#state;
  }

  run(run: number, request: JobRequest): Promise<RunEnd> {
    const { promise, resolve } = Promise.withResolvers<RunEnd>();
    this.#runs.set(run, resolve);
    this.#post({ type: 'run', run, request });
    return promise;
  }

  stop(run: number, reason: StopReason): void {
    this.#post({ type: 'stop', run, reason });
  }

  /**
   * Ends the thread at once; its runs end as crashed or bystanders. `accused` is the run to blame
   * when the thread itself does not show another one.
   */
  async end(message: string, accused = 0): Promise<void> {
    this.#lastWords ||= message;
    this.#suspect ||= accused;
    this.#move('end');
    await this.#worker.terminate();
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message, []);
  }

  #move(event: ThreadEvent): ThreadState {
    const before = this.#state;
    this.#state = states[before][event];
    return before;
  }

  #receive(message: FromThread): void {
    if (message.type === 'ready') {
      this.#move('ready');
      this.#options.onReady();
      return;
    }
    this.#runs.get(message.run)?.({ type: 'finished', result: message.result });
    this.#runs.delete(message.run);
  }

  #gone(code: number): void {
    const before = this.#move('exit');
    const message = this.#lastWords || `it ended itself with exit code ${code}`;
    const guilty = culpritOf(this.#runs, [Atomics.load(this.#culprit, 0), this.#suspect]);
    // Its place is free before its runs end, so that what they set off finds it so.
    this.#options.onGone(before, message);
    for (const [run, settle] of this.#runs) {
      const type = guilty === null || guilty === run ? 'crashed' : 'bystander';
      settle({ type, message: `the worker thread died: ${message}` });
    }
    this.#runs.clear();
  }
}

/** The run to blame for a thread's death, when that can be known: the first suspect that is on it. */
function culpritOf(runs: ReadonlyMap<number, unknown>, suspects: readonly number[]): number | null {
  const found = suspects.find((run) => runs.has(run));
  if (found !== undefined) return found;
  const [only] = runs.keys();
  return runs.size === 1 && only !== undefined ? only : null;
}
