/**
 * Gives memory back after a burst of work. V8 collects garbage when more is asked for: what the last
 * burst left would stay for as long as little comes, and buffers that nobody needs with it.
 */

import { getHeapStatistics } from 'node:v8';

/** How often is looked whether the burst is over. */
const lookMs = 1_000;
/** Share of the time in which a thread that has little to do works. */
const workShareMax = 0.3;
/** The same of one that has next to nothing to do: whoever only renews a lease now and then is held up by nothing. */
const restShareMax = 0.05;
/** Less that is new since the last time is not worth a collection when nothing is to be done. */
const growthBytesMin = 4 * 1024 * 1024;
/** The same while there is a little to do, which a collection holds up. */
const growthBytesMinAtWork = 24 * 1024 * 1024;
/** What was still needed at the last collection may not be by now: a thread that rests collects once more. */
const againMs = 20_000;
/** Share of the time that collections may take while there is something to do. */
const collectionShareMax = 0.01;

/** What a thread sees of itself. */
export interface ThreadView {
  /** Collects all garbage; undefined in a process that was started without `--expose-gc`. */
  readonly collect: (() => void) | undefined;
  /** Heap and buffers, garbage included. */
  bytesTaken(): number;
  /** Time in which it worked since the process began, in milliseconds. */
  workMs(): number;
  /** Processor time that it took, in milliseconds: on a busy machine a collection takes far longer than that. */
  processorMs(): number;
  /** Monotonic, milliseconds. */
  nowMs(): number;
}

/** One for each thread. Does nothing in a process that was started without `--expose-gc`. */
export class IdleMemory {
  readonly #thread: ThreadView;
  readonly #bytesAtFirst: number;
  #isTouched = false;
  /** Something was done since the last collection. */
  #isDirty = false;
  #bytesBefore: number;
  #collectedAtMs = Number.NEGATIVE_INFINITY;
  #lookedAtMs = 0;
  #workedMs = 0;
  /** While there is something to do, no collection begins before. */
  #notBeforeMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(thread: ThreadView = thisThread()) {
    this.#thread = thread;
    this.#bytesAtFirst = thread.bytesTaken();
    this.#bytesBefore = this.#bytesAtFirst;
  }

  /** Something was done. Cheap: call it for each piece of work. */
  touch(): void {
    this.#isTouched = true;
    this.#isDirty = true;
    if (this.#timer !== undefined || this.#thread.collect === undefined) return;
    this.#lookedAtMs = this.#thread.nowMs();
    this.#workedMs = this.#thread.workMs();
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const wasTouched = this.#isTouched;
    this.#isTouched = false;
    const workShare = this.#workShare();
    if (workShare > workShareMax) return;
    if (wasTouched && this.#thread.nowMs() < this.#notBeforeMs) return;
    const isAtWork = wasTouched && workShare > restShareMax;
    const bytes = this.#thread.bytesTaken();
    if (bytes - this.#bytesBefore >= (isAtWork ? growthBytesMinAtWork : growthBytesMin)) {
      this.#collect();
    } else if (!isAtWork) this.#rest(bytes);
    if (!wasTouched && !this.#isDirty) this.stop();
  }

  #rest(bytes: number): void {
    if (bytes - this.#bytesAtFirst < growthBytesMin) this.#isDirty = false;
    else if (this.#isDirty && this.#thread.nowMs() - this.#collectedAtMs >= againMs)
      this.#collect();
  }

  /** Share of the time since the last look in which the thread worked. */
  #workShare(): number {
    const [nowMs, workMs] = [this.#thread.nowMs(), this.#thread.workMs()];
    const share = (workMs - this.#workedMs) / (nowMs - this.#lookedAtMs);
    this.#lookedAtMs = nowMs;
    this.#workedMs = workMs;
    return share;
  }

  #collect(): void {
    const beganAtMs = this.#thread.processorMs();
    this.#thread.collect?.();
    const tookMs = this.#thread.processorMs() - beganAtMs;
    this.#notBeforeMs = this.#thread.nowMs() + tookMs / collectionShareMax;
    this.#bytesBefore = this.#thread.bytesTaken();
    this.#collectedAtMs = this.#thread.nowMs();
    this.#isDirty = false;
  }
}

function thisThread(): ThreadView {
  const { gc } = globalThis;
  return {
    collect: gc && (() => gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })),
    bytesTaken: () => {
      const { total_heap_size, external_memory } = getHeapStatistics();
      return total_heap_size + external_memory;
    },
    workMs: () => performance.eventLoopUtilization().active,
    processorMs: () => {
      const { user, system } = process.threadCpuUsage();
      return (user + system) / 1_000;
    },
    nowMs: () => performance.now(),
  };
}
