/**
 * How far compaction goes: up to the end of a segment before which so little is live that rewriting it
 * costs clearly less than what the segments free.
 */

import type { BrokerState } from '../state/broker-state.ts';
import type { Logged, OffsetOrder } from '../table/offset-order.ts';

/** Jobs, chunks and entries that one plan scans: some milliseconds. */
const scansMax = 10_000;

/** A segment of the log that takes nothing more. */
export interface SealedSegment {
  readonly lastOffset: number;
  readonly bytes: number;
}

export interface CompactionPlan {
  /** All live records up to here are to be rewritten, so that the segments can be dropped. */
  readonly upTo: number;
  /** Upper bound of the bytes that are written before the first segment is dropped. */
  readonly firstBytes: number;
}

/**
 * The shortest run of oldest segments of which no more than the share `shareMax` has to be written
 * again, the small state included; null when a bounded scan finds none.
 * @param segments oldest first
 */
export function planOf(
  state: BrokerState,
  segments: readonly SealedSegment[],
  shareMax: number,
): CompactionPlan | null {
  const [first] = segments;
  if (first === undefined) return null;
  const walk = new LiveWalk(state);
  const { smallStateBytes } = state;
  const firstBytes = smallStateBytes + Math.min(first.bytes, walk.bytesUpTo(first.lastOffset));
  let filesBytes = 0;
  for (const { lastOffset, bytes } of segments) {
    filesBytes += bytes;
    // Behind the bound of the scan everything counts as live: all live bytes.
    const liveBytes = smallStateBytes + walk.bytesUpTo(lastOffset);
    if (liveBytes <= shareMax * filesBytes) return { upTo: lastOffset, firstBytes };
  }
  return null;
}

/** A live record of the log. */
interface LiveRecord {
  readonly offset: number;
  readonly logBytes: number;
}

/** Sums up the live bytes, from the oldest record on. */
class LiveWalk {
  readonly #allBytes: number;
  readonly #living: readonly Iterator<LiveRecord>[];
  readonly #next: IteratorResult<LiveRecord>[];
  #bytes = 0;
  #scans = 0;

  constructor(state: BrokerState) {
    this.#allBytes = state.logBytes - state.smallStateBytes;
    this.#living = [jobsOf(state), inOrder(state.blobs.logOrder), inOrder(state.journal.logOrder)];
    this.#next = this.#living.map((some) => some.next());
  }

  /** Upper bound of the live bytes up to the offset, which must not decrease between calls. */
  bytesUpTo(offset: number): number {
    for (const [index, some] of this.#living.entries()) this.#go(index, some, offset);
    return this.#scans < scansMax ? this.#bytes : this.#allBytes;
  }

  #go(index: number, some: Iterator<LiveRecord>, offset: number): void {
    let next = this.#next[index];
    while (next?.done === false && next.value.offset <= offset && this.#scans < scansMax) {
      this.#bytes += next.value.logBytes;
      this.#scans++;
      next = some.next();
      this.#next[index] = next;
    }
  }
}

function* jobsOf({ jobs }: BrokerState): Generator<LiveRecord> {
  for (let slot = jobs.logOrder.head; slot !== 0; slot = jobs.logOrder.after(slot)) {
    const job = jobs.at(slot);
    if (job !== undefined) yield { offset: job.base, logBytes: job.logBytes };
  }
}

function* inOrder<T extends Logged<T>>(order: OffsetOrder<T>): Generator<LiveRecord> {
  for (let thing = order.oldest; thing !== null; thing = thing.newer) yield thing;
}
