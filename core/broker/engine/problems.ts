/**
 * Present problems: operations that fail and that the broker retries by itself. Each is reported when
 * it begins and when it ends, at most once a minute if it recurs, and shown by `aiq broker status`.
 */

import type { Outgoing } from '../events.ts';

/** The affected operation and the consequence, for an operator. */
const affected = {
  reading: 'records of the log cannot be read: jobs that need them wait',
  segment: 'the next segment of the log cannot be created: no new jobs are accepted or delivered',
  compaction: 'compaction waits: the log cannot be read or changed',
  summary: 'the summary of a segment cannot be written: the next start takes longer',
  reserve: 'the free disk space cannot be checked',
} as const;

export type Affected = keyof typeof affected;

const repeatMs = 60_000;

export class Problems {
  readonly #now: () => number;
  readonly #onNotice: (text: string) => void;
  readonly #present = new Map<Affected, { readonly text: string; readonly isReported: boolean }>();
  /** When its beginning was last reported. */
  readonly #reportedMs = new Map<Affected, number>();

  /** @param now monotonic clock, in milliseconds */
  constructor(now: () => number, onNotice: (text: string) => void) {
    this.#now = now;
    this.#onNotice = onNotice;
  }

  has(what: Affected): boolean {
    return this.#present.has(what);
  }

  /** All present problems, a sentence each. */
  get texts(): string[] {
    return [...this.#present.values()].map(({ text }) => text);
  }

  /** The response to a request for the present problems. */
  answer({ connection, correlationId }: Pick<Outgoing, 'connection' | 'correlationId'>): Outgoing {
    return { connection, correlationId, name: 'ProblemsOk', fields: { texts: this.texts } };
  }

  /** Raises the problem with this reason, or clears it for null. */
  set(what: Affected, reason: string | null): void {
    if (reason === null) this.clear(what);
    else this.raise(what, reason);
  }

  raise(what: Affected, reason: string): void {
    const text = `${affected[what]} (${reason}); retrying`;
    const nowMs = this.#now();
    const isDue = nowMs - (this.#reportedMs.get(what) ?? Number.NEGATIVE_INFINITY) >= repeatMs;
    const isReported = this.#present.get(what)?.isReported === true || isDue;
    this.#present.set(what, { text, isReported });
    if (!isDue) return;
    this.#reportedMs.set(what, nowMs);
    this.#onNotice(text);
  }

  /** Ends the problem. */
  clear(what: Affected): void {
    const problem = this.#present.get(what);
    this.#present.delete(what);
    if (problem?.isReported === true) this.#onNotice(`solved: ${affected[what]}`);
  }
}
