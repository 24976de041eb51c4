/** How much memory jobs may take: fixed amounts, less on machines and in containers that are small. */

import { totalmem } from 'node:os';

export interface MemoryLimits {
  readonly thread: {
    /** Of its objects and Buffers: a thread that takes more is ended. */
    readonly memoryMegabytesMax: number;
    /**
     * Of its objects: V8's own limit, at which it may end the whole process and not only the thread.
     * Far enough above the other one to be met by no thread that is watched.
     */
    readonly heapMegabytesMax: number;
  };
  /** Of a job that runs alone: there V8's limit can do no harm. */
  readonly process: {
    readonly heapMegabytesMax: number;
    /** All in all, as the kernel counts it. */
    readonly memoryMegabytesMax: number;
  };
}

const megabyte = 1024 * 1024;
const threadMegabytes = 1024;
const threadMegabytesMin = 128;

/** @param bytes memory that this process may use; default: that of the machine or the container */
export function memoryLimits(bytes: number = availableBytes()): MemoryLimits {
  const quarter = Math.floor(bytes / megabyte / 4);
  const most = Math.max(threadMegabytesMin, Math.min(threadMegabytes, quarter));
  return {
    thread: { memoryMegabytesMax: most, heapMegabytesMax: 3 * most },
    process: { heapMegabytesMax: most, memoryMegabytesMax: Math.ceil(1.5 * most) },
  };
}

/** A container's limit is 0 or astronomical where there is none. */
function availableBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
