/** The segments of an open log, oldest first, each with the index of its batches. */

import type { SealedSegment, SegmentInfo } from './contract.ts';
import type { BatchIndex, BatchLocation } from './format/batch-index.ts';
import type { LogCursor } from './format/format.ts';

/** A batch and the segment that holds it. */
export interface LocatedBatch extends BatchLocation {
  readonly segment: number;
  /** Where the next batch with records begins, or the segment ends. */
  readonly endByte: number;
}

/** The segment that is being written. */
export class TailSegment implements SegmentInfo {
  readonly number: number;
  readonly firstOffset: number;
  readonly index: BatchIndex;
  readonly before: LogCursor;
  /** Offset of its last durable record. */
  lastOffset: number;
  bytes: number;

  constructor(start: {
    before: LogCursor;
    index: BatchIndex;
    firstOffset: number;
    lastOffset: number;
    number: number;
    bytes: number;
  }) {
    this.number = start.number;
    this.firstOffset = start.firstOffset;
    this.index = start.index;
    this.before = start.before;
    this.lastOffset = start.lastOffset;
    this.bytes = start.bytes;
  }

  /** @param after the cursor after its last batch */
  seal(after: LogCursor): SealedSegment {
    const { number, firstOffset, lastOffset, bytes, index, before } = this;
    return { number, firstOffset, lastOffset, bytes, index, before, after, summaryFile: false };
  }
}

export class SegmentTable {
  #sealed: SealedSegment[];
  #tail: TailSegment;
  #sealedBytes: number;

  constructor(sealed: readonly SealedSegment[], tail: TailSegment) {
    this.#sealed = [...sealed];
    this.#sealedBytes = totalBytes(sealed);
    this.#tail = tail;
  }

  get tail(): TailSegment {
    return this.#tail;
  }

  get sealed(): readonly SealedSegment[] {
    return this.#sealed;
  }

  get infos(): SegmentInfo[] {
    const { number, firstOffset, lastOffset, bytes } = this.#tail;
    return [...this.#sealed, { number, firstOffset, lastOffset, bytes }];
  }

  get firstNumber(): number {
    return (this.#sealed[0] ?? this.#tail).number;
  }

  get firstOffset(): number {
    return (this.#sealed[0] ?? this.#tail).firstOffset;
  }

  get bytes(): number {
    return this.#sealedBytes + this.#tail.bytes;
  }

  /** Seals the tail and makes `next` the tail; returns the sealed segment. */
  rotate(after: LogCursor, next: TailSegment): SealedSegment {
    const sealed = this.#tail.seal(after);
    this.#sealed.push(sealed);
    this.#sealedBytes += sealed.bytes;
    this.#tail = next;
    return sealed;
  }

  /** The first segment that holds `offset` or something later; the tail when none does. */
  firstNeededFor(offset: number): SegmentInfo {
    return this.#sealed.find(({ lastOffset }) => lastOffset >= offset) ?? this.#tail;
  }

  /** Removes and returns the segments before `number`, oldest first. */
  removeBefore(number: number): SealedSegment[] {
    const removed = this.#sealed.filter((segment) => segment.number < number);
    this.#sealed = this.#sealed.slice(removed.length);
    this.#sealedBytes -= totalBytes(removed);
    return removed;
  }

  /** Where a durable record is; null for one that no segment holds. */
  find(offset: number): LocatedBatch | null {
    const segment = this.#segmentWith(offset);
    const place = segment?.index.find(offset) ?? null;
    if (segment === undefined || place === null) return null;
    const endByte = place.nextAtByte ?? segment.bytes;
    return { ...place, segment: segment.number, endByte };
  }

  #segmentWith(offset: number): SealedSegment | TailSegment | undefined {
    const tail = this.#tail;
    if (offset >= tail.firstOffset) return offset <= tail.lastOffset ? tail : undefined;
    let low = 0;
    let high = this.#sealed.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sealed[middle]?.lastOffset ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    const segment = this.#sealed[low];
    return segment !== undefined && segment.firstOffset <= offset ? segment : undefined;
  }
}

function totalBytes(segments: readonly SegmentInfo[]): number {
  return segments.reduce((sum, { bytes }) => sum + bytes, 0);
}
