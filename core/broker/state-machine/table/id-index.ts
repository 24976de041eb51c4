/**
 * Finds a job's row by its id: open addressing over four 32-bit words, in many small shards so that
 * none is ever slow to grow. Ids are compared in the table itself; the index keeps 9 to 15 bytes a job.
 * A search by prefix scans the first words of all ids: a millisecond for a million, and chosen ids do
 * not make it slower.
 */

import { idBytes, idFromText, idTextLength } from '../../../protocol/index.ts';
import { bytesColumns, type JobTable, u8At, u32At } from './job-table.ts';

const shardCount = 1024;
const shardSlotsMin = 16;
/** First words lie in pages of so many rows. */
const pageRowsLog2 = 13;
const pageRows = 1 << pageRowsLog2;
/** Ids that one search by prefix compares in the table: chosen ones may share the first word. */
const comparedMax = 20_000;
const bitsPerCharacter = 5;

interface Shard {
  /** Rows, 0 where free; the length is a power of two. */
  slots: Uint32Array;
  count: number;
}

export class IdIndex {
  readonly #table: JobTable;
  readonly #shards: (Shard | undefined)[] = Array.from({ length: shardCount });
  /** The first 32 bits of the ids, by row; what a free row has means nothing. */
  readonly #firstWords: Uint32Array[] = [];
  /** The id that is searched, as words. */
  readonly #bytes = new Uint8Array(idBytes);
  readonly #words = new Uint32Array(this.#bytes.buffer);

  constructor(table: JobTable) {
    this.#table = table;
  }

  /** Row of the job with that id (as text); 0 when there is none. */
  find(id: string): number {
    idFromText(id, this.#bytes, 0);
    const hash = hashOf(this.#words, 0);
    const shard = this.#shards[hash & (shardCount - 1)];
    if (shard === undefined) return 0;
    const firstWord = firstWordOf(this.#bytes);
    const mask = shard.slots.length - 1;
    for (let at = (hash >>> 10) & mask; ; at = (at + 1) & mask) {
      const slot = shard.slots[at] ?? 0;
      if (slot === 0 || this.#holds(slot, firstWord)) return slot;
    }
  }

  /** Writes the id into the row and makes it findable; false when another row has it already. */
  add(id: string, slot: number): boolean {
    idFromText(id, this.#bytes, 0);
    this.#writeInto(slot);
    const firstWord = firstWordOf(this.#bytes);
    this.#setFirstWord(slot, firstWord);
    const hash = hashOf(this.#words, 0);
    const shard = this.#shardFor(hash);
    if ((shard.count + 1) * 4 > shard.slots.length * 3) this.#grow(shard);
    const mask = shard.slots.length - 1;
    let at = (hash >>> 10) & mask;
    for (; shard.slots[at] !== 0; at = (at + 1) & mask) {
      if (this.#holds(shard.slots[at] ?? 0, firstWord)) return false;
    }
    shard.slots[at] = slot;
    shard.count++;
    return true;
  }

  /**
   * Rows of at most `max` jobs whose ids begin with the text; null when too many begin almost like it,
   * so that all would have to be compared.
   */
  withPrefix(text: string, max: number): number[] | null {
    const bits = Math.min(8 * idBytes, text.length * bitsPerCharacter);
    idFromText(text.padEnd(idTextLength, '0'), this.#bytes, 0);
    const wanted = firstWordOf(this.#bytes);
    const mask = bits >= 32 ? -1 : ~(0xffff_ffff >>> bits);
    const found: number[] = [];
    let compared = 0;
    for (const [page, words] of this.#firstWords.entries()) {
      for (let row = 0; row < words.length; row++) {
        if ((((words[row] ?? 0) ^ wanted) & mask) !== 0) continue;
        const slot = page * pageRows + row;
        if (this.#beginsLike(slot, bits)) found.push(slot);
        else compared++;
        if (found.length >= max) return found;
        if (compared > comparedMax) return null;
      }
    }
    return found;
  }

  /** Forgets the row; its id must still be in it. */
  remove(slot: number): void {
    const hash = this.#hashOfRow(slot);
    const shard = this.#shards[hash & (shardCount - 1)];
    if (shard === undefined) throw new Error(`row ${slot} is not in the index`);
    const { slots } = shard;
    const mask = slots.length - 1;
    let gap = (hash >>> 10) & mask;
    while (slots[gap] !== slot) {
      if (slots[gap] === 0) throw new Error(`row ${slot} is not in the index`);
      gap = (gap + 1) & mask;
    }
    // Later entries move up, but not before their own home position.
    for (let at = (gap + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const home = (this.#hashOfRow(slots[at] ?? 0) >>> 10) & mask;
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      slots[gap] = slots[at] ?? 0;
      gap = at;
    }
    slots[gap] = 0;
    shard.count--;
  }

  #writeInto(slot: number): void {
    const { u32 } = this.#table.page(slot);
    const at = u32At(slot) + bytesColumns.id;
    for (let word = 0; word < 4; word++) u32[at + word] = this.#words[word] ?? 0;
  }

  #setFirstWord(slot: number, firstWord: number): void {
    const number = slot >> pageRowsLog2;
    let page = this.#firstWords[number];
    if (page === undefined) {
      page = new Uint32Array(pageRows);
      this.#firstWords[number] = page;
    }
    page[slot & (pageRows - 1)] = firstWord;
  }

  /** True when the row is a job's, and the first bits of its id are those of the sought one. */
  #beginsLike(slot: number, bits: number): boolean {
    if (slot === 0 || !this.#table.holds(slot)) return false;
    const { u8 } = this.#table.page(slot);
    const at = u8At(slot) + 4 * bytesColumns.id;
    const whole = bits >> 3;
    for (let index = 0; index < whole; index++) {
      if (u8[at + index] !== this.#bytes[index]) return false;
    }
    const rest = 0xff00 >> (bits & 7);
    return (((u8[at + whole] ?? 0) ^ (this.#bytes[whole] ?? 0)) & rest & 0xff) === 0;
  }

  #shardFor(hash: number): Shard {
    const number = hash & (shardCount - 1);
    let shard = this.#shards[number];
    if (shard === undefined) {
      shard = { slots: new Uint32Array(shardSlotsMin), count: 0 };
      this.#shards[number] = shard;
    }
    return shard;
  }

  #grow(shard: Shard): void {
    const grown = new Uint32Array(shard.slots.length * 2);
    for (const slot of shard.slots) {
      if (slot !== 0) place(grown, this.#hashOfRow(slot) >>> 10, slot);
    }
    shard.slots = grown;
  }

  /** Compares in the table only where the first word fits: rows of other jobs would be cache misses. */
  #holds(slot: number, firstWord: number): boolean {
    if (this.#firstWords[slot >> pageRowsLog2]?.[slot & (pageRows - 1)] !== firstWord) return false;
    const { u32 } = this.#table.page(slot);
    const at = u32At(slot) + bytesColumns.id;
    const words = this.#words;
    return (
      u32[at] === words[0] &&
      u32[at + 1] === words[1] &&
      u32[at + 2] === words[2] &&
      u32[at + 3] === words[3]
    );
  }

  #hashOfRow(slot: number): number {
    return hashOf(this.#table.page(slot).u32, u32At(slot) + bytesColumns.id);
  }
}

function place(slots: Uint32Array, home: number, slot: number): void {
  const mask = slots.length - 1;
  let at = home & mask;
  while (slots[at] !== 0) at = (at + 1) & mask;
  slots[at] = slot;
}

/** Mixes all four words, because clients may make ids that share most of their bits. */
function hashOf(words: Uint32Array, at: number): number {
  let hash = 0x9e37_79b9;
  for (let word = 0; word < 4; word++) {
    hash = Math.imul(hash ^ (words[at + word] ?? 0), 0x85eb_ca6b);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash, 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function firstWordOf(bytes: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
