/** What salvaging a log had to leave out, counted and named. */

/** Far more than a person reads, far less than a report can hold. */
const idsMax = 10_000;

/** Ids without repetition, the first ones by name and the others by number alone. */
export class IdList {
  readonly #ids: Set<string> = new Set();
  #count = 0;

  /** How often an id was added that is not among those named. */
  get more(): number {
    return this.#count;
  }

  get named(): readonly string[] {
    return [...this.#ids];
  }

  add(id: string): void {
    if (this.#ids.has(id)) return;
    if (this.#ids.size < idsMax) this.#ids.add(id);
    else this.#count += 1;
  }
}

export class Losses {
  /** Records about jobs of whose acceptance nothing is left. */
  unknownJob = 0;
  /** Records that no version of aiq up to this one wrote. */
  illegible = 0;
  /** Chunks of blobs that are no longer whole, and journal entries that refer to them. */
  lostBlob = 0;
  /** Jobs that lost records: what the new log says of them may be old, or they are not in it. */
  readonly ids: IdList = new IdList();
  /** Jobs in the new log whose input is gone. */
  readonly inputs: IdList = new IdList();
  /** Jobs in the new log whose result is gone. */
  readonly results: IdList = new IdList();
}
