/** Progress of a bulk operation, printed at a terminal at most once a second. */

import type { BulkOptions } from '../../job-queue/index.ts';
import type { Terminal } from './terminal.ts';

const printEveryMs = 1_000;

/** Prints `did` with the number of jobs so far, such as `cancelled 120000 jobs so far`. */
export function bulkProgress(terminal: Terminal, did: string): BulkOptions {
  let reportedAtMs = performance.now();
  return {
    onProgress(touched) {
      const nowMs = performance.now();
      if (nowMs - reportedAtMs < printEveryMs) return;
      reportedAtMs = nowMs;
      terminal.hint(
        `${did} ${countText(touched)} so far; Ctrl-C stops waiting; the broker continues`,
      );
    },
  };
}

/** `1 job`, `12 jobs`. */
export function countText(jobs: number): string {
  return jobs === 1 ? '1 job' : `${jobs} jobs`;
}
