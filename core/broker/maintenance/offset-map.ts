/** Maps offsets of the old log to the new one, in which records were left out or added. */

/** Records that follow each other in both logs. */
interface Run {
  readonly from: number;
  to: number;
  /** New offset less old offset. */
  readonly shift: number;
}

export class OffsetMap {
  readonly #runs: Run[] = [];

  /** Old offsets must be added in ascending order. */
  add(oldOffset: number, newOffset: number): void {
    const last = this.#runs.at(-1);
    const shift = newOffset - oldOffset;
    if (last?.to === oldOffset - 1 && last.shift === shift) last.to = oldOffset;
    else this.#runs.push({ from: oldOffset, to: oldOffset, shift });
  }

  /** The new offset; 0 when the record is not in the new log. */
  find(oldOffset: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#runs[middle]?.to ?? 0) < oldOffset) low = middle + 1;
      else high = middle;
    }
    const run = this.#runs[low];
    return run === undefined || run.from > oldOffset ? 0 : oldOffset + run.shift;
  }
}
