/** For commands that handle many small things one after the other. */

import { setFlagsFromString } from 'node:v8';
import { startAgainWith } from '../../base/index.ts';

/**
 * V8 and the allocator would keep hundreds of MiB of what was left of jobs that are small and soon over. To
 * be called before anything is read from standard input: it may start the process again.
 */
export function keepMemorySmall(): void {
  startAgainWith({
    nodeFlags: ['--max-semi-space-size=4'],
    environment: { MALLOC_ARENA_MAX: '2' },
  });
  // Buffers count towards the next collection, which comes once a heap has grown by so much.
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  setFlagsFromString('--heap-growing-percent=40');
}
