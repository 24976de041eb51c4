/**
 * What the broker cannot do at the moment and tries again by itself. Each trouble is told when it
 * begins and when it is over, in between at most once a minute however often it comes back, and
 * stands in `aiq broker status` meanwhile.
 */

import type { Outgoing } from '../events.ts';

/** What is affected, in words for an operator. */
const affected = {
  reading: 'the log cannot be read: jobs wait',
  segment: 'the next segment of the log cannot be made: nothing new is accepted or delivered',
  compaction: 'compaction waits, because the log cannot be read',
  summary: 'the summary of a segment cannot be made: a start will take longer',
  reserve: 'the reserve for a full disk cannot be seen to',
} as const;

export type Affected = keyof typeof affected;

const repeatMs = 60_000;

export class Troubles {
  readonly #now: () => number;
  readonly #onNotice: (text: string) => void;
  readonly #lasting = new Map<Affected, { readonly text: string; readonly isReported: boolean }>();
  /** When it was told last that one began. */
  readonly #toldMs = new Map<Affected, number>();

  /** @param now monotonic clock, in milliseconds */
  constructor(now: () => number, onNotice: (text: string) => void) {
    this.#now = now;
    this.#onNotice = onNotice;
  }

  has(what: Affected): boolean {
    return this.#lasting.has(what);
  }

  /** All that last, a sentence each. */
  get texts(): string[] {
    return [...this.#lasting.values()].map(({ text }) => text);
  }

  /** To whoever asks what lasts. */
  answer({ connection, correlationId }: Pick<Outgoing, 'connection' | 'correlationId'>): Outgoing {
    return { connection, correlationId, name: 'TroublesOk', fields: { texts: this.texts } };
  }

  /** Raises it with this reason, or clears it for null. */
  set(what: Affected, reason: string | null): void {
    if (reason === null) this.clear(what);
    else this.raise(what, reason);
  }

  raise(what: Affected, reason: string): void {
    const text = `${affected[what]} (${reason}); it is tried again`;
    const nowMs = this.#now();
    const isDue = nowMs - (this.#toldMs.get(what) ?? Number.NEGATIVE_INFINITY) >= repeatMs;
    const isReported = this.#lasting.get(what)?.isReported === true || isDue;
    this.#lasting.set(what, { text, isReported });
    if (!isDue) return;
    this.#toldMs.set(what, nowMs);
    this.#onNotice(text);
  }

  /** It works again. */
  clear(what: Affected): void {
    const trouble = this.#lasting.get(what);
    this.#lasting.delete(what);
    if (trouble?.isReported === true) this.#onNotice(`over: ${affected[what]}`);
  }
}
