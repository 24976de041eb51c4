/**
 * A disk in memory for tests of the log: it counts operations, fails or shortens them on demand,
 * and knows what would be left after a power cut (only synced bytes under synced names).
 */

import { basename, dirname } from 'node:path';
import type { Disk, DiskFile } from '../../core/broker/log/disk.ts';

type Operation =
  | 'create'
  | 'datasync'
  | 'list'
  | 'makeDir'
  | 'open'
  | 'readFile'
  | 'rename'
  | 'syncDir'
  | 'write'
  | 'close';

const sectorBytes = 512;

interface MemoryFile {
  /** What a process reads. */
  bytes: Buffer;
  /** What the medium has. */
  synced: Buffer;
  /** What the next datasync will bring there. A failed one forgets it, as kernels do. */
  dirty: { from: number; to: number }[];
}

export class MemoryDisk implements Disk {
  /** Files by path, as a running process sees them. */
  readonly files = new Map<string, MemoryFile>();
  readonly #durableNames = new Map<string, MemoryFile>();
  readonly counts: Partial<Record<Operation, number>> = {};
  operations = 0;
  /** Called before each operation; what it throws is the operation's error. */
  before: (operation: Operation, path: string) => void | Promise<void> = () => undefined;
  /** How many of the bytes given are written. */
  accept: (bytes: number) => number = (bytes) => bytes;

  /**
   * What a disk holds after a power cut: synced bytes under synced names, and of each unsynced
   * sector and name what `keeps` lets through.
   */
  afterPowerCut(keeps: () => boolean = () => false): MemoryDisk {
    const disk = new MemoryDisk();
    for (const [path, file] of this.#durableNames) disk.put(path, tear(file, keeps));
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
    const file = { bytes: Buffer.from(bytes), synced: Buffer.from(bytes), dirty: [] };
    this.files.set(path, file);
    this.#durableNames.set(path, file);
  }

  get(path: string): Buffer {
    return this.#file(path).bytes;
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
    this.files.set(path, { bytes: Buffer.alloc(0), synced: Buffer.alloc(0), dirty: [] });
    return this.#handle(path);
  }

  async open(path: string): Promise<DiskFile> {
    await this.#begin('open', path);
    return this.#handle(path);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#begin('rename', to);
    this.files.set(to, this.#file(from));
    this.files.delete(from);
  }

  async syncDir(dir: string): Promise<void> {
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
      write: async (buffers, position) => {
        await this.#begin('write', path);
        const given = Buffer.concat(buffers);
        const taken = given.subarray(0, this.accept(given.length));
        file.bytes = withBytes(file.bytes, taken, position);
        file.dirty.push({ from: position, to: position + taken.length });
        return taken.length;
      },
      datasync: async () => {
        // Only what was written when the call began is covered.
        const covered = file.dirty;
        file.dirty = [];
        const { bytes } = file;
        await this.#begin('datasync', path);
        for (const { from, to } of covered) {
          file.synced = withBytes(file.synced, bytes.subarray(from, to), from);
        }
      },
      close: () => this.#begin('close', path),
    };
  }

  #file(path: string): MemoryFile {
    const file = this.files.get(path);
    if (file === undefined) throw new Error(`ENOENT: ${path}`);
    return file;
  }

  async #begin(operation: Operation, path: string): Promise<void> {
    this.operations += 1;
    this.counts[operation] = (this.counts[operation] ?? 0) + 1;
    await this.before(operation, path);
  }
}

/** The synced bytes, with some of the unsynced sectors; the others stay as they were. */
function tear({ bytes, synced, dirty }: MemoryFile, keeps: () => boolean): Buffer {
  if (dirty.length === 0) return synced;
  let torn = synced;
  for (let from = 0; from < bytes.length; from += sectorBytes) {
    const to = Math.min(bytes.length, from + sectorBytes);
    const isDirty = dirty.some((range) => range.from < to && range.to > from);
    if (isDirty && keeps()) torn = withBytes(torn, bytes.subarray(from, to), from);
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
