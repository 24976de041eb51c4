/**
 * Ends a thread that takes too much memory. V8's own limit does not count Buffers, and where it is
 * met by one large step (an array that is doubled) V8 ends the whole process.
 */

import type { Thread } from './thread.ts';

export interface MemoryWatchOptions {
  /** Of one thread. */
  readonly memoryMegabytesMax: number;
  readonly threads: () => readonly Pick<Thread, 'memoryBytes' | 'end'>[];
}

/** Short against the second or so that it takes to fill the memory of a machine. */
const checkMs = 100;
const megabyte = 1024 * 1024;

/** Checks until it is stopped; keeps no process alive. */
export function watchMemory({ memoryMegabytesMax, threads }: MemoryWatchOptions): {
  stop: () => void;
} {
  const bytesMax = memoryMegabytesMax * megabyte;

  async function check(): Promise<void> {
    // Less than one thread may take: no thread has to be interrupted and asked.
    if (process.memoryUsage.rss() < bytesMax) return;
    await Promise.all(
      threads().map(async (thread) => {
        const bytes = await thread.memoryBytes();
        if (bytes <= bytesMax) return;
        const taken = `it took ${Math.round(bytes / megabyte)} MiB of memory`;
        const message = `${taken}; ${memoryMegabytesMax} MiB are allowed`;
        await thread.end({ cause: 'out_of_memory', message });
      }),
    );
  }

  const timer = setInterval(() => void check(), checkMs).unref();
  return { stop: () => clearInterval(timer) };
}
