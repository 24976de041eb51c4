/**
 * The file `starting.json` in a broker's folder: progress of the start, for waiting clients, from the
 * lock to the first response. Recovery of a long log takes a while, and they should not give up.
 */

import { rmSync } from 'node:fs';
import { processStart } from '../../base/index.ts';
import { replaceTextFile } from './folder.ts';
import type { HeldFolder } from './held-folder.ts';

/** Progress of recovery. */
export interface Recovered {
  readonly segments: number;
  readonly segmentsTotal: number;
  /** Jobs known so far. */
  readonly jobs: number;
}

/** Content of the file; see `core/host/starting.ts`. */
interface Starting {
  readonly pid: number;
  /** Distinguishes the process from a later one with the same pid; null where that is unknown. */
  readonly processStart: string | null;
  readonly percent: number;
  readonly jobs: number;
}

const writeEveryMs = 200;
const noticeEveryMs = 5_000;

export class StartProgress {
  readonly #folder: HeldFolder;
  readonly #onNotice: (text: string) => void;
  #wroteAtMs = performance.now();
  #noticedAtMs = performance.now();

  constructor(folder: HeldFolder, onNotice: (text: string) => void) {
    this.#folder = folder;
    this.#onNotice = onNotice;
    this.#write({ percent: 0, jobs: 0 });
  }

  recovered({ segments, segmentsTotal, jobs }: Recovered): void {
    const nowMs = performance.now();
    const percent = Math.floor((100 * segments) / segmentsTotal);
    if (nowMs - this.#wroteAtMs >= writeEveryMs) {
      this.#wroteAtMs = nowMs;
      this.#write({ percent, jobs });
    }
    if (nowMs - this.#noticedAtMs < noticeEveryMs) return;
    this.#noticedAtMs = nowMs;
    this.#onNotice(`recovering: ${percent} % of the log, ${jobs} jobs so far`);
  }

  /** The start succeeded or failed. */
  end(): void {
    quietly(() => rmSync(this.#folder.path('starting.json'), { force: true }));
  }

  #write(how: Pick<Starting, 'percent' | 'jobs'>): void {
    const { pid } = process;
    const starting: Starting = { pid, processStart: processStart(pid), ...how };
    quietly(() => replaceTextFile(this.#folder, 'starting.json', `${JSON.stringify(starting)}\n`));
  }
}

/** The file is optional: without it, on a full disk, clients wait less long. */
function quietly(action: () => void): void {
  try {
    action();
  } catch {
    return;
  }
}
