/**
 * Collects garbage after a burst of work. V8 collects on allocation only, so garbage of the last burst,
 * buffers included, would stay while there is little work.
 */

import { getHeapStatistics } from 'node:v8';

/** Interval of the checks for the end of a burst. */
const checkMs = 1_000;
/** Share of time worked up to which a thread counts as lightly loaded. */
const workShareMax = 0.3;
/** The same for an idle thread, on which a collection delays nothing. */
const restShareMax = 0.05;
/** Growth since the last collection that justifies one on an idle thread. */
const growthBytesMin = 4 * 1024 * 1024;
/** The same on a lightly loaded thread, whose work a collection delays. */
const growthBytesMinAtWork = 24 * 1024 * 1024;
/** An idle thread collects once more after this time, as more may have become garbage. */
const againMs = 20_000;
/** Share of time that collections may take on a lightly loaded thread. */
const collectionShareMax = 0.01;

/** Measurements of the present thread. */
export interface ThreadView {
  /** Collects all garbage; undefined in a process that was started without `--expose-gc`. */
  readonly collect: (() => void) | undefined;
  /** Heap and buffers, garbage included. */
  bytesTaken(): number;
  /** Time worked since start, in milliseconds. */
  workMs(): number;
  /** CPU time, in milliseconds: on a busy machine less than the duration. */
  processorMs(): number;
  /** Monotonic, milliseconds. */
  nowMs(): number;
}

/** One for each thread. Does nothing in a process that was started without `--expose-gc`. */
export class IdleMemory {
  readonly #thread: ThreadView;
  readonly #bytesAtFirst: number;
  #isTouched = false;
  /** Work was done since the last collection. */
  #isDirty = false;
  #bytesBefore: number;
  #collectedAtMs = Number.NEGATIVE_INFINITY;
  #checkedAtMs = 0;
  #workedMs = 0;
  /** Earliest time of the next collection on a lightly loaded thread. */
  #notBeforeMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(thread: ThreadView = thisThread()) {
    this.#thread = thread;
    this.#bytesAtFirst = thread.bytesTaken();
    this.#bytesBefore = this.#bytesAtFirst;
  }

  /** Records work. Cheap: call it for each piece of work. */
  touch(): void {
    this.#isTouched = true;
    this.#isDirty = true;
    if (this.#timer !== undefined || this.#thread.collect === undefined) return;
    this.#checkedAtMs = this.#thread.nowMs();
    this.#workedMs = this.#thread.workMs();
    this.#timer = setInterval(() => this.#check(), checkMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
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

  /** Share of time worked since the last check. */
  #workShare(): number {
    const [nowMs, workMs] = [this.#thread.nowMs(), this.#thread.workMs()];
    const share = (workMs - this.#workedMs) / (nowMs - this.#checkedAtMs);
    this.#checkedAtMs = nowMs;
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
