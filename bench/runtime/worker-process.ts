/** The parent's side of a hand-written consumer in a process of its own. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Provider } from '../../core/model/index.ts';

const main = fileURLToPath(new URL('worker-main.ts', import.meta.url));

export interface WorkerOptions {
  readonly provider: Provider;
  readonly concurrency: number;
  readonly outputDir: string;
  /** Address of the server; without it the texts come from the parent. */
  readonly redis?: unknown;
}

/** To the worker: texts to work on, or of how many jobs of its queue it is to report the end. */
export type Order = { readonly texts: readonly string[] } | { readonly jobs: number };

export class WorkerProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(options: WorkerOptions): Promise<WorkerProcess> {
    const worker = new WorkerProcess(fork(main, [JSON.stringify(options)]));
    await worker.#answer();
    return worker;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when the texts, or so many more jobs of the queue, are done. */
  async finished(what: readonly string[] | number): Promise<void> {
    this.#child.send(typeof what === 'number' ? { jobs: what } : { texts: what });
    await this.#answer();
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  async #answer(): Promise<void> {
    const ended = new AbortController();
    const onExit = (): void => ended.abort(new Error('a worker process ended'));
    this.#child.once('exit', onExit);
    try {
      await once(this.#child, 'message', { signal: ended.signal });
    } finally {
      this.#child.off('exit', onExit);
    }
  }
}
