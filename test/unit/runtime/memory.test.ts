/** How much memory jobs may take, and who is ended for taking more. */

import { describe, expect, it, onTestFinished } from 'vitest';
import { memoryLimits } from '../../../core/runtime/memory-limits.ts';
import { watchMemory } from '../../../core/runtime/pool/memory-watch.ts';
import type { Crash } from '../../../core/runtime/pool/run.ts';

const gigabyte = 1024 ** 3;

describe('memoryLimits', () => {
  it('are the same on every machine that is large enough', () => {
    const limits = {
      thread: { memoryMegabytesMax: 1024, heapMegabytesMax: 3072 },
      process: { heapMegabytesMax: 1024, memoryMegabytesMax: 1536 },
    };
    expect(memoryLimits(4 * gigabyte)).toEqual(limits);
    expect(memoryLimits(64 * gigabyte)).toEqual(limits);
  });

  it('shrink with the memory of a container, so that one job never takes all of it', () => {
    expect(memoryLimits(gigabyte)).toEqual({
      thread: { memoryMegabytesMax: 256, heapMegabytesMax: 768 },
      process: { heapMegabytesMax: 256, memoryMegabytesMax: 384 },
    });
    expect(memoryLimits(1).thread.memoryMegabytesMax).toBe(128);
  });

  it('come from this machine unless they are told', () => {
    expect(memoryLimits().thread.memoryMegabytesMax).toBeGreaterThanOrEqual(128);
  });
});

describe('watchMemory', () => {
  it('ends the thread that takes more than the limit, and no other', async () => {
    const ended: string[] = [];
    const { promise: crash, resolve } = Promise.withResolvers<Crash>();
    const threadOf = (name: string, megabytes: number) => ({
      memoryBytes: async () => megabytes * 1024 * 1024,
      end: async (why: Crash) => {
        ended.push(name);
        resolve(why);
      },
    });
    const threads = [threadOf('small', 1), threadOf('large', 3)];
    // Below what this process takes anyway, so that the threads are asked.
    const watch = watchMemory({ memoryMegabytesMax: 2, threads: () => threads });
    onTestFinished(watch.stop);
    expect(await crash).toEqual({
      cause: 'out_of_memory',
      message: 'it took 3 MiB of memory; 2 MiB are allowed',
    });
    expect(new Set(ended)).toEqual(new Set(['large']));
  });
});
