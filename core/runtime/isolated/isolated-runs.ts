/**
 * Runs that must be alone, because a crash lies behind their jobs: each in a process of its own, a
 * few side by side. Their deaths hurt no other job, and the threads of the pool go on beside them.
 */

import type { JobRequest, StopReason } from '../attempt/result.ts';
import type { Crash, Run, RunEnd, RunOptions } from '../pool/run.ts';
import type { ThreadAgent } from '../pool/thread-messages.ts';
import { type ProcessOptions, runIsolated } from './isolated-run.ts';

export interface IsolatedOptions extends ProcessOptions {
  /** Processes at one time. */
  readonly processesMax: number;
  /** A process died of something else than our own stop. */
  readonly onCrash: (message: string) => void;
}

interface Waiting {
  readonly request: JobRequest;
  readonly options: RunOptions;
  readonly resolve: (end: RunEnd) => void;
  running: ReturnType<typeof runIsolated> | null;
}

const closing: Crash = { cause: 'killed', message: 'the consumer stops' };

export class IsolatedRuns {
  #options: IsolatedOptions;
  readonly #running = new Set<Waiting>();
  #waiting: Waiting[] = [];
  #closed = false;

  constructor(options: IsolatedOptions) {
    this.#options = options;
  }

  run(request: JobRequest, options: RunOptions): Run {
    const { promise, resolve } = Promise.withResolvers<RunEnd>();
    const entry: Waiting = { request, options, resolve, running: null };
    if (this.#closed) resolve({ type: 'unstarted' });
    else this.#waiting.push(entry);
    this.#pump();
    return { end: promise, stop: (reason) => this.#stop(entry, reason) };
  }

  /** Runs that begin from now on find these agents. */
  adopt(agents: readonly ThreadAgent[]): void {
    this.#options = { ...this.#options, data: { ...this.#options.data, agents } };
  }

  /** Ends all processes; runs end as crashed, waiting ones as unstarted. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve({ type: 'unstarted' });
    const running = [...this.#running].flatMap((entry) => entry.running ?? []);
    for (const { kill } of running) kill(closing);
    await Promise.all(running.map(({ end }) => end));
  }

  #stop(entry: Waiting, reason: StopReason): void {
    entry.running?.stop(reason);
    if (entry.running !== null) return;
    this.#waiting = this.#waiting.filter((one) => one !== entry);
    entry.resolve({ type: 'unstarted' });
  }

  #pump(): void {
    while (this.#running.size < this.#options.processesMax) {
      const entry = this.#waiting.shift();
      if (entry === undefined) return;
      void this.#start(entry);
    }
  }

  async #start(entry: Waiting): Promise<void> {
    this.#running.add(entry);
    entry.running = runIsolated(this.#options, entry.request, entry.options);
    const end = await entry.running.end;
    this.#running.delete(entry);
    if (end.type === 'crashed' && !this.#closed) this.#options.onCrash(end.message);
    entry.resolve(end);
    this.#pump();
  }
}
