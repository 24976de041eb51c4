/**
 * One worker thread and the runs that are on it. Whatever happens to the thread, every run ends
 * exactly once: with its result, or with what the thread's death means for it.
 */

import { Worker } from 'node:worker_threads';
import type { JobRequest, StopReason } from '../attempt/result.ts';
import { joined } from './joined.ts';
import { answerTo, type Question, type Services } from './questions.ts';
import type { Crash, RunEnd } from './run.ts';
import {
  type FromThread,
  type ThreadAgent,
  type ThreadData,
  type ToThread,
  toThread,
} from './thread-messages.ts';

const states = {
  starting: { ready: 'ready', end: 'stopping', exit: 'ended' },
  ready: { ready: 'ready', end: 'stopping', exit: 'ended' },
  stopping: { ready: 'stopping', end: 'stopping', exit: 'ended' },
  ended: { ready: 'ended', end: 'ended', exit: 'ended' },
} as const;
export type ThreadState = keyof typeof states;
type ThreadEvent = keyof (typeof states)[ThreadState];

/** What a job makes is garbage soon: V8 would let some 100 MiB of it pile up in each thread. */
const youngMegabytesMax = 12;

export interface ThreadOptions {
  /** The file that the thread runs. */
  readonly entry: URL;
  readonly data: Omit<ThreadData, 'activeRun'>;
  readonly heapMegabytesMax: number;
  readonly onReady: () => void;
  /** `state` is the one it died in. */
  readonly onExit: (state: ThreadState, message: string) => void;
}

interface OpenRun {
  readonly services: Services;
  readonly settle: (end: RunEnd) => void;
}

export class Thread {
  readonly #options: ThreadOptions;
  readonly #worker: Worker;
  readonly #post = joined<ToThread>((messages) =>
    this.#worker.postMessage(messages.map(toThread), []),
  );
  readonly #runs = new Map<number, OpenRun>();
  readonly #activeRun = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #state: ThreadState = 'starting';
  #crash: Crash | null = null;
  #suspect = 0;

  constructor(options: ThreadOptions) {
    this.#options = options;
    this.#worker = new Worker(options.entry, {
      workerData: { ...options.data, activeRun: this.#activeRun.buffer },
      resourceLimits: {
        maxOldGenerationSizeMb: options.heapMegabytesMax,
        maxYoungGenerationSizeMb: youngMegabytesMax,
      },
      stdout: true,
    });
    // What an agent's code prints must not stand among the results of a command.
    this.#worker.stdout.pipe(process.stderr, { end: false });
    this.#worker.on('message', (messages: readonly FromThread[]) => {
      for (const message of messages) this.#receive(message);
    });
    this.#worker.on('messageerror', () => {
      void this.end({ cause: 'crashed', message: 'it sent a message that cannot be read' });
    });
    this.#worker.on('error', (error: unknown) => {
      this.#crash ??= crashOf(error);
    });
    this.#worker.on('exit', (code) => this.#exited(code));
  }

  get state(): ThreadState {
    return this.#state;
  }

  run(run: number, request: JobRequest, services: Services): Promise<RunEnd> {
    const { promise, resolve } = Promise.withResolvers<RunEnd>();
    this.#runs.set(run, { services, settle: resolve });
    this.#post({ type: 'run', run, request });
    return promise;
  }

  stop(run: number, reason: StopReason): void {
    this.#post({ type: 'stop', run, reason });
  }

  /** Runs that begin from now on find these agents. */
  adopt(agents: readonly ThreadAgent[]): void {
    this.#post({ type: 'adopt', agents });
  }

  /** Bytes of its objects and Buffers, known also while the thread is busy; 0 once it ended. */
  async memoryBytes(): Promise<number> {
    try {
      const statistics = await this.#worker.getHeapStatistics();
      return statistics.used_heap_size + statistics.external_memory;
    } catch {
      return 0;
    }
  }

  /**
   * Ends the thread at once; its runs end as crashed or bystanders. `accused` is the run to blame
   * when the thread itself does not show another one.
   */
  async end(crash: Crash, accused = 0): Promise<void> {
    this.#crash ??= crash;
    this.#suspect ||= accused;
    this.#move('end');
    await this.#worker.terminate();
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
    const open = this.#runs.get(message.run);
    if (open === undefined) return;
    if (message.type === 'question') {
      void this.#answer(message, open.services);
      return;
    }
    open.settle({ type: 'finished', result: message.result });
    this.#runs.delete(message.run);
  }

  async #answer(question: Question, services: Services): Promise<void> {
    this.#post(await answerTo(question, services));
  }

  #exited(code: number): void {
    const before = this.#move('exit');
    const { cause, message } = this.#crash ?? {
      cause: 'crashed',
      message: `it ended itself with exit code ${code}`,
    };
    const guilty = activeRunOf(this.#runs, [Atomics.load(this.#activeRun, 0), this.#suspect]);
    // Its place is free before its runs end, so that what they set off finds it so.
    this.#options.onExit(before, message);
    const text = `the worker thread died: ${message}`;
    for (const [run, { settle }] of this.#runs) {
      if (guilty === null || guilty === run) settle({ type: 'crashed', cause, message: text });
      else settle({ type: 'bystander', message: text });
    }
    this.#runs.clear();
  }
}

function crashOf(error: unknown): Crash {
  if (!(error instanceof Error)) return { cause: 'crashed', message: String(error) };
  const isFull = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  return { cause: isFull ? 'out_of_memory' : 'crashed', message: error.message };
}

/** The run to blame for a thread's death, when that can be known: the first suspect that is on it. */
function activeRunOf(
  runs: ReadonlyMap<number, unknown>,
  suspects: readonly number[],
): number | null {
  const found = suspects.find((run) => runs.has(run));
  if (found !== undefined) return found;
  const [only] = runs.keys();
  return runs.size === 1 && only !== undefined ? only : null;
}
