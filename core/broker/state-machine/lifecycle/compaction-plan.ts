/**
 * How far compaction should go: up to the end of a segment before which so little is alive that
 * saying it again costs clearly less than what the segments give back.
 */

import type { BrokerState } from '../state/broker-state.ts';
import type { Logged, OffsetOrder } from '../table/offset-order.ts';

/** Jobs, chunks and entries that one plan looks at: some milliseconds. */
const scansMax = 10_000;

/** A segment of the log that takes nothing more. */
export interface SealedSegment {
  readonly lastOffset: number;
  readonly bytes: number;
}

export interface CompactionPlan {
  /** All that stands up to here is to be said again, so that it can be dropped. */
  readonly upTo: number;
  /** No fewer bytes than are written before the first segment goes. */
  readonly firstBytes: number;
}

/**
 * The shortest run of oldest segments of which no more than the share `shareMax` has to be written
 * again, the small state included; null when a bounded look finds none.
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
    // What lies behind the place where a long walk ends counts in full: all that is alive at all.
    const liveBytes = smallStateBytes + walk.bytesUpTo(lastOffset);
    if (liveBytes <= shareMax * filesBytes) return { upTo: lastOffset, firstBytes };
  }
  return null;
}

/** Something that lies in the log, in the order in which it stands there. */
interface Living {
  readonly offset: number;
  readonly logBytes: number;
}

/** Sums up what is alive, from the oldest record on. */
class LiveWalk {
  readonly #allBytes: number;
  readonly #living: readonly Iterator<Living>[];
  readonly #next: IteratorResult<Living>[];
  #bytes = 0;
  #looks = 0;

  constructor(state: BrokerState) {
    this.#allBytes = state.logBytes - state.smallStateBytes;
    this.#living = [jobsOf(state), inOrder(state.blobs.logOrder), inOrder(state.journal.logOrder)];
    this.#next = this.#living.map((some) => some.next());
  }

  /** No fewer bytes than are alive up to the offset, which must not become smaller. */
  bytesUpTo(offset: number): number {
    for (const [index, some] of this.#living.entries()) this.#go(index, some, offset);
    return this.#looks < scansMax ? this.#bytes : this.#allBytes;
  }

  #go(index: number, some: Iterator<Living>, offset: number): void {
    let next = this.#next[index];
    while (next?.done === false && next.value.offset <= offset && this.#looks < scansMax) {
      this.#bytes += next.value.logBytes;
      this.#looks++;
      next = some.next();
      this.#next[index] = next;
    }
  }
}

function* jobsOf({ jobs }: BrokerState): Generator<Living> {
  for (let slot = jobs.logOrder.head; slot !== 0; slot = jobs.logOrder.after(slot)) {
    const job = jobs.at(slot);
    if (job !== undefined) yield { offset: job.base, logBytes: job.logBytes };
  }
}

function* inOrder<T extends Logged<T>>(order: OffsetOrder<T>): Generator<Living> {
  for (let thing = order.oldest; thing !== null; thing = thing.newer) yield thing;
}
