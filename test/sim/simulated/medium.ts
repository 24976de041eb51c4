/**
 * What a computer's disk holds while processes come and go: for every file what a process reads (the
 * page cache) and what the medium has; for every name whether its folder was synced. A power cut
 * keeps of each unsynced sector, length and name what the dice say; kill -9 keeps the page cache.
 */

import { basename, dirname } from 'node:path';
import type { Dice } from '../dice.ts';

export const sectorBytes = 512;

/** Bytes that grow. */
class Content {
  #data = new Uint8Array(0);
  length = 0;

  view(): Uint8Array {
    return this.#data.subarray(0, this.length);
  }

  write(piece: Uint8Array, position: number): void {
    this.#reserve(position + piece.length);
    this.#data.set(piece, position);
    this.length = Math.max(this.length, position + piece.length);
  }

  resize(length: number): void {
    this.#reserve(length);
    if (length < this.length) this.#data.fill(0, length, this.length);
    this.length = length;
  }

  #reserve(length: number): void {
    if (length <= this.#data.length) return;
    const larger = new Uint8Array(Math.max(length, 2 * this.#data.length, 1024));
    larger.set(this.view());
    this.#data = larger;
  }
}

export class MediumFile {
  readonly cache = new Content();
  readonly durable = new Content();
  /** Sectors written since the last datasync began. */
  dirty = new Set<number>();
  /** Sectors that a datasync under way will bring to the medium. */
  syncing = new Set<number>();

  write(piece: Uint8Array, position: number): void {
    const before = this.cache.length;
    this.cache.write(piece, position);
    const from = Math.min(position, before);
    for (let at = from - (from % sectorBytes); at < position + piece.length; at += sectorBytes) {
      this.dirty.add(at / sectorBytes);
    }
  }

  truncate(length: number): void {
    this.cache.resize(length);
    this.dirty.add(Math.floor(length / sectorBytes));
  }

  beginSync(): void {
    for (const sector of this.dirty) this.syncing.add(sector);
    this.dirty = new Set();
  }

  endSync(): void {
    this.durable.resize(this.cache.length);
    for (const sector of this.syncing) this.#bring(sector);
    this.syncing = new Set();
  }

  /** As kernels do: the pages count as clean, reads show them, and the medium never gets them. */
  failSync(): void {
    this.syncing = new Set();
  }

  /** After power came back: what is read is what the medium has. */
  powerCut(dice: Dice): void {
    const open = [...this.syncing, ...this.dirty];
    if (open.length > 0) {
      // The length is written apart from the content: it may tell the whole or only what arrived.
      if (dice.chance(0.5)) this.durable.resize(this.cache.length);
      const share = dice.pick([0, 0.5, 0.5, 0.9, 1]);
      for (const sector of open) if (dice.chance(share)) this.#bring(sector);
    }
    this.dirty = new Set();
    this.syncing = new Set();
    this.cache.resize(0);
    this.cache.write(this.durable.view(), 0);
  }

  /** Flips one bit wherever it is read from; twice is as never. */
  flip(byte: number, mask: number): void {
    for (const content of [this.cache, this.durable]) {
      const view = content.view();
      if (byte < view.length) view[byte] = (view[byte] ?? 0) ^ mask;
    }
  }

  #bring(sector: number): void {
    const from = sector * sectorBytes;
    const to = Math.min(from + sectorBytes, this.cache.length);
    if (from < to) this.durable.write(this.cache.view().subarray(from, to), from);
  }
}

export class Medium {
  /** Names as processes see them. */
  readonly names = new Map<string, MediumFile>();
  /** Names as they are on the medium. */
  readonly #durable = new Map<string, MediumFile>();
  /** Size of the file system. */
  readonly totalBytes = 8 * 1024 * 1024;
  /** What others have put there. */
  foreignBytes = 0;
  /** What the system refuses to all for now: descriptors to open a file, inodes to make one, or to read. */
  exhausted: 'descriptors' | 'inodes' | 'reads' | null = null;
  /** Another folder is in the place of the broker's. */
  isSwapped = false;

  /** How many more files it can hold. */
  get freeFiles(): number {
    return this.exhausted === 'inodes' ? 0 : Number.POSITIVE_INFINITY;
  }

  get freeBytes(): number {
    return Math.max(0, this.totalBytes - this.foreignBytes - this.usedBytes);
  }

  get usedBytes(): number {
    let used = 0;
    for (const file of this.names.values()) used += file.cache.length;
    return used;
  }

  list(dir: string): string[] {
    const found: string[] = [];
    for (const path of this.names.keys()) if (dirname(path) === dir) found.push(basename(path));
    return found;
  }

  /** Removes what is not there any more from the medium, and puts there what is new. */
  syncDir(dir: string): void {
    for (const path of this.#durable.keys()) {
      if (dirname(path) === dir && !this.names.has(path)) this.#durable.delete(path);
    }
    for (const [path, file] of this.names) if (dirname(path) === dir) this.#durable.set(path, file);
  }

  /** Makes one name durable as it is. */
  keepName(path: string): void {
    const file = this.names.get(path);
    if (file !== undefined) this.#durable.set(path, file);
  }

  /** Each unsynced change of a name came to the medium or did not, each for itself. */
  powerCut(dice: Dice): { lostNames: number } {
    let lostNames = 0;
    const before = new Set([...this.#durable.keys(), ...this.names.keys()]);
    for (const path of [...before].sort()) {
      const [was, is] = [this.#durable.get(path), this.names.get(path)];
      if (was === is) continue;
      const left = dice.chance(0.5) ? is : was;
      if (left !== is) lostNames++;
      if (left === undefined) this.#durable.delete(path);
      else this.#durable.set(path, left);
    }
    this.names.clear();
    for (const [path, file] of this.#durable) this.names.set(path, file);
    for (const file of new Set(this.names.values())) file.powerCut(dice);
    return { lostNames };
  }
}
