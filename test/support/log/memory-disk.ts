/**
 * A disk in memory for tests of the log: it counts operations, fails or shortens them on demand,
 * and knows what would be left after a power cut (only synced bytes under synced names).
 */

import { basename, dirname } from 'node:path';
import type { Disk, DiskDir, DiskFile, ReadableFile } from '../../../core/broker/log/disk/disk.ts';
import type { DiskSpace } from '../../../core/broker/log/disk/space-limits.ts';

export type DiskOperation =
  | 'close'
  | 'create'
  | 'datasync'
  | 'link'
  | 'list'
  | 'makeDir'
  | 'open'
  | 'openDir'
  | 'openForReading'
  | 'read'
  | 'readFile'
  | 'remove'
  | 'rename'
  | 'size'
  | 'space'
  | 'syncDir'
  | 'truncate'
  | 'write';

const sectorBytes = 512;

interface Range {
  readonly from: number;
  readonly to: number;
}

interface MemoryFile {
  /** What a process reads. */
  bytes: Buffer;
  /** What the medium has. */
  synced: Buffer;
  /** What the next datasync will bring there. A failed one forgets it, as kernels do. */
  dirty: Range[];
  /** What a datasync under way, or one that failed, may have brought there or not. */
  unsure: Range[];
  /** The next datasync cuts the medium's bytes to this length first. */
  cutTo: number;
}

export class MemoryDisk implements Disk {
  /** Files by path, as a running process sees them. */
  readonly files = new Map<string, MemoryFile>();
  readonly #durableNames = new Map<string, MemoryFile>();
  readonly counts: Partial<Record<DiskOperation, number>> = {};
  operations = 0;
  /** Called before each operation; what it throws is the operation's error. */
  before: (operation: DiskOperation, path: string) => void | Promise<void> = () => undefined;
  /** How many of the bytes given are written. */
  accept: (bytes: number) => number = (bytes) => bytes;
  /** Files may hold so much together; then writes are short, and then they fail with ENOSPC. */
  capacityBytes = 2 ** 40;
  freeFiles = Number.POSITIVE_INFINITY;

  /**
   * What a disk holds after a power cut: synced bytes under synced names, and of each unsynced
   * sector and name what `keeps` lets through.
   */
  afterPowerCut(keeps: () => boolean = () => false): MemoryDisk {
    const disk = new MemoryDisk();
    for (const [path, file] of this.#durableNames) {
      const removalKept = !this.files.has(path) && keeps();
      if (!removalKept) disk.put(path, tear(file, keeps));
    }
    for (const [path, file] of this.files) {
      if (this.#durableNames.get(path) !== file && keeps()) disk.put(path, tear(file, keeps));
    }
    return disk;
  }

  /** What a disk holds after kill -9: the page cache survives. */
  copy(): MemoryDisk {
    const disk = new MemoryDisk();
    for (const [path, { bytes }] of this.files) disk.put(path, bytes);
    return disk;
  }

  put(path: string, bytes: Uint8Array): void {
    const file = { ...emptyFile(), bytes: Buffer.from(bytes), synced: Buffer.from(bytes) };
    this.files.set(path, file);
    this.#durableNames.set(path, file);
  }

  get(path: string): Buffer {
    return this.#file(path).bytes;
  }

  get usedBytes(): number {
    let bytes = 0;
    for (const file of this.files.values()) bytes += file.bytes.length;
    return bytes;
  }

  async makeDir(path: string): Promise<void> {
    await this.#begin('makeDir', path);
  }

  async list(dir: string): Promise<string[]> {
    await this.#begin('list', dir);
    return [...this.files.keys()]
      .filter((path) => dirname(path) === dir)
      .map((path) => basename(path));
  }

  async readFile(path: string): Promise<Uint8Array> {
    await this.#begin('readFile', path);
    return this.#file(path).bytes;
  }

  async create(path: string): Promise<DiskFile> {
    await this.#begin('create', path);
    this.files.set(path, emptyFile());
    return this.#handle(path);
  }

  async open(path: string): Promise<DiskFile> {
    await this.#begin('open', path);
    return this.#handle(path);
  }

  async openForReading(path: string): Promise<ReadableFile> {
    await this.#begin('openForReading', path);
    return this.#handle(path);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#begin('rename', to);
    this.files.set(to, this.#file(from));
    this.files.delete(from);
  }

  async link(from: string, to: string): Promise<void> {
    await this.#begin('link', to);
    if (this.files.has(to)) throw Object.assign(new Error(`EEXIST: ${to}`), { code: 'EEXIST' });
    this.files.set(to, this.#file(from));
  }

  async remove(path: string): Promise<void> {
    await this.#begin('remove', path);
    this.#file(path);
    this.files.delete(path);
  }

  async space(dir: string): Promise<DiskSpace> {
    await this.#begin('space', dir);
    const freeBytes = Math.max(0, this.capacityBytes - this.usedBytes);
    return { totalBytes: this.capacityBytes, freeBytes, freeFiles: this.freeFiles };
  }

  async openDir(dir: string): Promise<DiskDir> {
    await this.#begin('openDir', dir);
    return { sync: () => this.#syncDir(dir), close: async () => undefined };
  }

  async #syncDir(dir: string): Promise<void> {
    await this.#begin('syncDir', dir);
    for (const path of this.#durableNames.keys()) {
      if (dirname(path) === dir) this.#durableNames.delete(path);
    }
    for (const [path, file] of this.files) {
      if (dirname(path) === dir) this.#durableNames.set(path, file);
    }
  }

  #handle(path: string): DiskFile {
    const file = this.#file(path);
    return {
      read: async (into, position) => {
        await this.#begin('read', path);
        return file.bytes.copy(into, 0, position);
      },
      size: async () => {
        await this.#begin('size', path);
        return file.bytes.length;
      },
      truncate: async (bytes) => {
        await this.#begin('truncate', path);
        file.bytes = Buffer.from(file.bytes.subarray(0, bytes));
        file.cutTo = Math.min(bytes, file.cutTo);
      },
      write: async (buffers, position) => {
        await this.#begin('write', path);
        const given = Buffer.concat(buffers);
        const taken = given.subarray(0, this.#accepted(file, given.length, position));
        file.bytes = withBytes(file.bytes, taken, position);
        file.dirty.push({ from: position, to: position + taken.length });
        return taken.length;
      },
      datasync: async () => {
        // Only what was written when the call began is covered.
        const covered = file.dirty;
        file.dirty = [];
        const { bytes, cutTo } = file;
        file.cutTo = Number.POSITIVE_INFINITY;
        file.unsure.push(...covered);
        await this.#begin('datasync', path);
        file.unsure = file.unsure.filter((range) => !covered.includes(range));
        file.synced = file.synced.subarray(0, cutTo);
        for (const { from, to } of covered) {
          file.synced = withBytes(file.synced, bytes.subarray(from, to), from);
        }
      },
      close: () => this.#begin('close', path),
    };
  }

  /** How much of a write the disk takes: what the test lets through and what there is room for. */
  #accepted(file: MemoryFile, bytes: number, position: number): number {
    const room = this.capacityBytes - this.usedBytes + file.bytes.length - position;
    const fitting = Math.min(this.accept(bytes), Math.max(0, room));
    if (fitting === 0 && bytes > 0 && room <= 0) {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    }
    return fitting;
  }

  #file(path: string): MemoryFile {
    const file = this.files.get(path);
    if (file === undefined) throw new Error(`ENOENT: ${path}`);
    return file;
  }

  async #begin(operation: DiskOperation, path: string): Promise<void> {
    this.operations += 1;
    this.counts[operation] = (this.counts[operation] ?? 0) + 1;
    await this.before(operation, path);
  }
}

function emptyFile(): MemoryFile {
  return {
    bytes: Buffer.alloc(0),
    synced: Buffer.alloc(0),
    dirty: [],
    unsure: [],
    cutTo: Number.POSITIVE_INFINITY,
  };
}

/** The synced bytes, with some of the unsynced sectors; the others stay as they were. */
function tear(file: MemoryFile, keeps: () => boolean): Buffer {
  const { bytes, synced, cutTo } = file;
  const open = [...file.dirty, ...file.unsure];
  let torn = cutTo < synced.length && keeps() ? synced.subarray(0, cutTo) : synced;
  if (open.length === 0) return torn;
  for (let from = 0; from < bytes.length; from += sectorBytes) {
    const to = Math.min(bytes.length, from + sectorBytes);
    const isOpen = open.some((range) => range.from < to && range.to > from);
    if (isOpen && keeps()) torn = withBytes(torn, bytes.subarray(from, to), from);
  }
  // The length is written apart from the content: it may tell the whole or only what arrived.
  return keeps() ? withBytes(torn, bytes.subarray(bytes.length), bytes.length) : torn;
}

/** A copy of `bytes` with `piece` at `position`, longer if need be. */
function withBytes(bytes: Buffer, piece: Uint8Array, position: number): Buffer {
  const result = Buffer.alloc(Math.max(bytes.length, position + piece.length));
  bytes.copy(result);
  result.set(piece, position);
  return result;
}
