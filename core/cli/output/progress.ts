/** How far an operation on many jobs is: told at a terminal now and then, and not elsewhere. */

import type { BulkOptions } from '../../job-queue/index.ts';
import type { Terminal } from './terminal.ts';

const tellEveryMs = 1_000;

/** Tells `did` with the number of jobs so far, such as `cancelled 120000 jobs so far`. */
export function bulkProgress(terminal: Terminal, did: string): BulkOptions {
  let reportedAtMs = performance.now();
  return {
    onProgress(touched) {
      const nowMs = performance.now();
      if (nowMs - reportedAtMs < tellEveryMs) return;
      reportedAtMs = nowMs;
      terminal.hint(`${did} ${countText(touched)} so far; Ctrl-C leaves the rest to the broker`);
    },
  };
}

/** `1 job`, `12 jobs`. */
export function countText(jobs: number): string {
  return jobs === 1 ? '1 job' : `${jobs} jobs`;
}
