/**
 * Gives memory back after a burst of work. V8 collects garbage when more is asked for: what the last
 * burst left would stay for as long as nothing comes, and buffers that nobody needs with it.
 */

import { getHeapStatistics } from 'node:v8';

/** Work must have stopped for so long: one to two of these pass before memory goes back. */
const quietMs = 1_000;
/** Less that is new since the last time is not worth a collection. */
const growthBytesMin = 4 * 1024 * 1024;

/** One for each thread. Does nothing in a process that was started without `--expose-gc`. */
export class IdleMemory {
  #isBusy = false;
  #bytesBefore = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Something was done. Cheap: call it for each piece of work. */
  touch(): void {
    this.#isBusy = true;
    if (globalThis.gc === undefined) return;
    this.#timer ??= setInterval(() => this.#look(), quietMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const wasBusy = this.#isBusy;
    this.#isBusy = false;
    if (wasBusy) return;
    this.stop();
    if (bytesTaken() - this.#bytesBefore < growthBytesMin) return;
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    this.#bytesBefore = bytesTaken();
  }
}

function bytesTaken(): number {
  const { total_heap_size, external_memory } = getHeapStatistics();
  return total_heap_size + external_memory;
}
