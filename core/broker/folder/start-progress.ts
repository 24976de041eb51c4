/**
 * Tells those who wait for a broker that one starts and how far it is: `starting.json` in its folder,
 * from the lock to the first answer. Recovery of a long log takes a while, and nobody should give up.
 */

import { rmSync } from 'node:fs';
import { processStart } from '../../base/index.ts';
import { placeText } from './folder.ts';
import type { HeldFolder } from './held-folder.ts';

/** How far recovery is. */
export interface Recovered {
  readonly segments: number;
  readonly segmentsTotal: number;
  /** Jobs known so far. */
  readonly jobs: number;
}

/** What the file holds; see `core/host/starting.ts`. */
interface Starting {
  readonly pid: number;
  /** Tells the process from a later one with its number; null where the system does not. */
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

  /** It serves, or never will. */
  end(): void {
    quietly(() => rmSync(this.#folder.path('starting.json'), { force: true }));
  }

  #write(how: Pick<Starting, 'percent' | 'jobs'>): void {
    const { pid } = process;
    const starting: Starting = { pid, processStart: processStart(pid), ...how };
    quietly(() => placeText(this.#folder, 'starting.json', `${JSON.stringify(starting)}\n`));
  }
}

/** Nothing depends on the file: on a full disk those who wait are told nothing, and wait less long. */
function quietly(action: () => void): void {
  try {
    action();
  } catch {
    return;
  }
}
