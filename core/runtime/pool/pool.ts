/**
 * A bounded pool of worker threads with several slots each. Runs wait here when no slot is free.
 * Dead threads are replaced.
 */

import { createCrashGuard, startTimer } from '../../base/index.ts';
import type { JobRequest, StopReason } from '../attempt/result.ts';
import { watchMemory } from './memory-watch.ts';
import { type Crash, overtime, type Run, type RunEnd, type RunOptions } from './run.ts';
import { Thread, type ThreadState } from './thread.ts';
import type { ThreadAgent, ThreadData } from './thread-messages.ts';

export interface PoolOptions {
  readonly entry: URL;
  readonly data: Omit<ThreadData, 'activeRun'>;
  readonly threads: number;
  /** Runs at one time over all threads, spread evenly. */
  readonly concurrency: number;
  /** V8's limit for the objects of each thread. */
  readonly heapMegabytesMax: number;
  /** A thread is ended above this, its objects and Buffers together. */
  readonly memoryMegabytesMax: number;
  /** A thread died of something else than our own stop. */
  readonly onCrash: (message: string) => void;
  /** Threads do not come up at all: nothing can run. */
  readonly onBroken: (message: string) => void;
}

/** The place of one thread; the thread in it changes when it dies. */
interface WorkerSlot {
  readonly slots: number;
  readonly on: Set<number>;
  thread: Thread | null;
  /** After a crash, not before this time (monotonic). */
  notBeforeMs: number;
}

interface Waiting {
  readonly run: number;
  readonly request: JobRequest;
  readonly options: RunOptions;
  readonly resolve: (end: RunEnd) => void;
}

const closing: Crash = { cause: 'killed', message: 'the consumer stops' };

/** The first crashes in a minute are replaced at once, further ones after a pause. */
const crashLimits = {
  windowMs: 60_000,
  freeCrashes: 5,
  crashesMax: Number.POSITIVE_INFINITY,
  pause: { minMs: 1_000, maxMs: 30_000 },
};
/** Threads in a row that die before they are ready: then none will come up. */
const failedStartsMax = 3;

/** Threads start when the first runs need them, or the first one before with `warm`. */
export class Pool {
  readonly #options: PoolOptions;
  #data: PoolOptions['data'];
  readonly #seats: WorkerSlot[];
  readonly #guard = createCrashGuard(crashLimits);
  #failedStarts = 0;
  readonly #placed = new Map<number, WorkerSlot>();
  #waiting: Waiting[] = [];
  readonly #memory: { stop: () => void };
  #lastRun = 0;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#data = options.data;
    this.#seats = seatsOf(options);
    this.#memory = watchMemory({
      memoryMegabytesMax: options.memoryMegabytesMax,
      threads: () => this.#seats.flatMap(({ thread }) => thread ?? []),
    });
  }

  /** Starts the first thread, so that it is up when the first run comes. */
  warm(): void {
    const [seat] = this.#seats;
    if (seat !== undefined && !this.#closed) seat.thread ??= this.#newThread(seat);
  }

  run(request: JobRequest, options: RunOptions): Run {
    const { promise, resolve } = Promise.withResolvers<RunEnd>();
    this.#lastRun += 1;
    const run = this.#lastRun;
    if (this.#closed) resolve({ type: 'unstarted' });
    else this.#waiting.push({ run, request, options, resolve });
    this.#pump();
    return { end: promise, stop: (reason) => this.#stop(run, reason) };
  }

  /** Runs that begin from now on find these agents. */
  adopt(agents: readonly ThreadAgent[]): void {
    this.#data = { ...this.#data, agents };
    for (const { thread } of this.#seats) thread?.adopt(agents);
  }

  /** Ends all threads; runs end as crashed, waiting ones as unstarted. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#memory.stop();
    for (const { resolve } of this.#waiting.splice(0)) resolve({ type: 'unstarted' });
    const threads = this.#seats.flatMap(({ thread }) => thread ?? []);
    await Promise.all(threads.map((thread) => thread.end(closing)));
  }

  #stop(run: number, reason: StopReason): void {
    this.#placed.get(run)?.thread?.stop(run, reason);
    const entry = this.#waiting.find((one) => one.run === run);
    if (entry === undefined) return;
    this.#waiting = this.#waiting.filter((one) => one !== entry);
    entry.resolve({ type: 'unstarted' });
  }

  /** Places what can be placed, in order. */
  #pump(): void {
    this.#waiting = this.#waiting.filter((entry) => {
      const seat = emptiest(this.#seats.filter(isOpen));
      if (seat !== null) void this.#start(entry, seat);
      return seat === null;
    });
  }

  async #start({ run, request, options, resolve }: Waiting, seat: WorkerSlot): Promise<void> {
    const { hardLimitMs, services } = options;
    seat.on.add(run);
    this.#placed.set(run, seat);
    seat.thread ??= this.#newThread(seat);
    const { thread } = seat;
    const timer = startTimer(hardLimitMs, () => void thread.end(overtime(hardLimitMs), run));
    const end = await thread.run(run, request, services);
    timer.clear();
    this.#placed.delete(run);
    seat.on.delete(run);
    resolve(end);
    this.#pump();
  }

  #newThread(seat: WorkerSlot): Thread {
    const { entry, heapMegabytesMax } = this.#options;
    return new Thread({
      entry,
      data: this.#data,
      heapMegabytesMax,
      onReady: () => {
        this.#failedStarts = 0;
      },
      onExit: (state, message) => {
        seat.thread = null;
        if (!this.#closed) this.#crashed(seat, state, message);
      },
    });
  }

  #crashed(seat: WorkerSlot, state: ThreadState, message: string): void {
    const pauseMs = this.#guard(performance.now()) ?? 0;
    seat.notBeforeMs = performance.now() + pauseMs;
    this.#options.onCrash(message);
    if (state === 'starting' && ++this.#failedStarts >= failedStartsMax) {
      this.#options.onBroken(message);
    }
    setTimeout(() => this.#pump(), pauseMs);
  }
}

function seatsOf({ threads, concurrency }: PoolOptions): WorkerSlot[] {
  const count = Math.max(1, Math.min(threads, concurrency));
  return Array.from({ length: count }, (_, index) => ({
    slots: Math.floor(concurrency / count) + (index < concurrency % count ? 1 : 0),
    on: new Set<number>(),
    thread: null,
    notBeforeMs: 0,
  }));
}

function isOpen(seat: WorkerSlot): boolean {
  if (seat.on.size >= seat.slots) return false;
  if (seat.thread !== null)
    return seat.thread.state === 'starting' || seat.thread.state === 'ready';
  return performance.now() >= seat.notBeforeMs;
}

/** The seat with the fewest runs; among those, one whose thread lives already. */
function emptiest(seats: readonly WorkerSlot[]): WorkerSlot | null {
  let best: WorkerSlot | null = null;
  for (const seat of seats) {
    if (best === null || load(seat) < load(best)) best = seat;
  }
  return best;
}

function load(seat: WorkerSlot): number {
  return seat.on.size + (seat.thread === null ? 0.5 : 0);
}
