/**
 * Where the lines of each job lie in the index, in typed arrays: 20 bytes for a place, so that a folder of
 * 100,000 results takes 5 MB and no objects. Keys are hashes; callers compare what lies there.
 */

const placesMin = 1024;
const fillMax = 0.6;

/** A job's place: offsets of its first line and of the newest line of the same result. */
export interface Place {
  readonly first: number;
  readonly latest: number;
}

export class OffsetTable {
  #keys = new Uint32Array(placesMin);
  #firsts = new Float64Array(placesMin);
  #latest = new Float64Array(placesMin);
  #count = 0;

  /** Places whose key is that of the id; `at` is for `setLatest`. */
  *find(id: string): Generator<Place & { readonly at: number }> {
    const key = hashOf(id);
    const mask = this.#keys.length - 1;
    for (let at = key & mask; this.#keys[at] !== 0; at = (at + 1) & mask) {
      if (this.#keys[at] !== key) continue;
      yield { first: this.#firsts[at] ?? 0, latest: this.#latest[at] ?? 0, at };
    }
  }

  setLatest(at: number, offset: number): void {
    this.#latest[at] = offset;
  }

  add(id: string, offset: number): void {
    if (this.#count >= fillMax * this.#keys.length) this.#grow();
    this.#put(hashOf(id), offset, offset);
    this.#count++;
  }

  #put(key: number, first: number, latest: number): void {
    const mask = this.#keys.length - 1;
    let at = key & mask;
    while (this.#keys[at] !== 0) at = (at + 1) & mask;
    this.#keys[at] = key;
    this.#firsts[at] = first;
    this.#latest[at] = latest;
  }

  #grow(): void {
    const [keys, firsts, latest] = [this.#keys, this.#firsts, this.#latest];
    const places = 2 * keys.length;
    this.#keys = new Uint32Array(places);
    this.#firsts = new Float64Array(places);
    this.#latest = new Float64Array(places);
    for (const [at, key] of keys.entries()) {
      if (key !== 0) this.#put(key, firsts[at] ?? 0, latest[at] ?? 0);
    }
  }
}

/** FNV-1a of 32 bits, never 0. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0 || 1;
}
