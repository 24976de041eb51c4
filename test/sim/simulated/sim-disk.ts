/**
 * The disk of one life of the broker: every operation waits until the simulation completes it, in
 * any order over files, and goes wrong when the dice say so. When the life ends, nothing that was
 * under way ever comes back to it.
 */

import type { Disk, DiskDir, DiskFile, ReadableFile } from '../../../core/broker/log/disk/disk.ts';
import type { DiskSpace } from '../../../core/broker/log/disk/space-limits.ts';
import type { DiskOperation } from '../../support/log/memory-disk.ts';
import type { Dice } from '../dice.ts';
import type { Reached } from '../reach.ts';
import { type Medium, MediumFile } from './medium.ts';

const reads: ReadonlySet<DiskOperation> = new Set(['list', 'openForReading', 'read', 'readFile']);
const openings: ReadonlySet<DiskOperation> = new Set([
  'create',
  'list',
  'open',
  'openDir',
  'openForReading',
  'readFile',
]);
const changesOfNames: ReadonlySet<DiskOperation> = new Set([
  'create',
  'link',
  'makeDir',
  'open',
  'remove',
  'rename',
  'syncDir',
  'truncate',
]);

/** In the message of an error that passes: no broker that serves may end of it. */
export const forNow = 'for now';

/** How likely each kind of fault is, for each operation. */
export interface DiskFaults {
  shortWrite: number;
  failedWrite: number;
  failedSync: number;
  failedRead: number;
  failedName: number;
}

export const noDiskFaults: DiskFaults = {
  shortWrite: 0,
  failedWrite: 0,
  failedSync: 0,
  failedRead: 0,
  failedName: 0,
};

interface Pending {
  readonly kind: DiskOperation;
  readonly path: string;
  /** Does it and tells who waits. */
  readonly complete: () => void;
  /** What a process leaves behind that is killed while this is under way. */
  readonly leave: () => void;
}

/** What the disk is asked to remember over all lives. */
export interface DiskDiary {
  reach(name: Reached): void;
  violation(text: string): void;
}

const never = new Promise<never>(() => undefined);

export class SimDisk implements Disk {
  readonly #medium: Medium;
  readonly #dice: Dice;
  readonly #diary: DiskDiary;
  readonly faults: DiskFaults;
  #pending: Pending[] = [];
  #alive = true;
  /** Files whose datasync failed in this life: nobody may trust a second one. */
  readonly #failed = new Set<MediumFile>();
  faultCount = 0;
  /** Bytes that went into segments. */
  writtenBytes = 0;

  constructor(medium: Medium, faults: DiskFaults | null, dice: Dice, diary: DiskDiary) {
    this.#medium = medium;
    this.faults = { ...(faults ?? noDiskFaults) };
    this.#dice = dice;
    this.#diary = diary;
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  /** Completes one of the operations under way. */
  completeOne(): void {
    const [operation] = this.#pending.splice(this.#dice.below(this.#pending.length), 1);
    operation?.complete();
  }

  /** The process is gone: what was under way was done, in part, or not at all. */
  kill(): void {
    this.#alive = false;
    for (const { leave } of this.#pending) if (this.#dice.chance(0.5)) leave();
    this.#pending = [];
  }

  makeDir(path: string): Promise<void> {
    return this.#operation('makeDir', path, () => undefined);
  }

  list(dir: string): Promise<readonly string[]> {
    return this.#operation('list', dir, () => this.#medium.list(dir));
  }

  readFile(path: string): Promise<Uint8Array> {
    return this.#operation('readFile', path, () => this.#file(path).cache.view().slice());
  }

  create(path: string): Promise<DiskFile> {
    return this.#operation('create', path, () => {
      const file = new MediumFile();
      this.#medium.names.set(path, file);
      return this.#handle(path, file);
    });
  }

  open(path: string): Promise<DiskFile> {
    return this.#operation('open', path, () => this.#handle(path, this.#file(path)));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#operation('rename', to, () => {
      this.#medium.names.set(to, this.#file(from));
      this.#medium.names.delete(from);
    });
  }

  link(from: string, to: string): Promise<void> {
    return this.#operation('link', to, () => {
      if (this.#medium.names.has(to)) {
        throw Object.assign(new Error(`EEXIST: ${to}`), { code: 'EEXIST', syscall: 'link' });
      }
      if (to.endsWith('.log')) this.#diary.reach('new segment begun');
      this.#medium.names.set(to, this.#file(from));
    });
  }

  openForReading(path: string): Promise<ReadableFile> {
    return this.#operation('openForReading', path, () => this.#handle(path, this.#file(path)));
  }

  remove(path: string): Promise<void> {
    return this.#operation('remove', path, () => {
      if (path.endsWith('.log')) this.#diary.reach('compaction dropped a segment');
      this.#file(path);
      this.#medium.names.delete(path);
    });
  }

  space(dir: string): Promise<DiskSpace> {
    return this.#operation('space', dir, () => {
      const { totalBytes, freeBytes, freeFiles } = this.#medium;
      return { totalBytes, freeBytes, freeFiles };
    });
  }

  openDir(dir: string): Promise<DiskDir> {
    return this.#operation('openDir', dir, () => ({
      sync: () => this.#operation('syncDir', dir, () => this.#medium.syncDir(dir)),
      close: () => this.#operation('close', dir, () => undefined),
    }));
  }

  #handle(path: string, file: MediumFile): DiskFile {
    return {
      write: (buffers, position) => {
        const given = Buffer.concat(buffers);
        const write = (): number => {
          if (path.endsWith('.log')) this.writtenBytes += given.length;
          return this.#write(file, given, position);
        };
        return this.#operation('write', path, write, () => {
          file.write(given.subarray(0, this.#dice.below(given.length + 1)), position);
        });
      },
      datasync: () => {
        if (this.#failed.has(file)) {
          this.#diary.violation(`${path}: a second datasync after one that failed`);
        }
        file.beginSync();
        return this.#operation('datasync', path, () => this.#datasync(file));
      },
      close: () => this.#operation('close', path, () => undefined),
      read: (into, position) =>
        this.#operation('read', path, () => {
          const bytes = file.cache.view().subarray(position, position + into.length);
          into.set(bytes);
          return bytes.length;
        }),
      size: () => this.#operation('size', path, () => file.cache.length),
      truncate: (bytes) => this.#operation('truncate', path, () => file.truncate(bytes)),
    };
  }

  /** Returns how many bytes fitted, or were taken. */
  #write(file: MediumFile, given: Uint8Array, position: number): number {
    if (this.#dice.chance(this.faults.failedWrite)) {
      this.#diary.reach('failed write');
      throw this.#fault('EIO', 'write');
    }
    const grows = Math.max(0, position + given.length - file.cache.length);
    const room = this.#medium.freeBytes;
    let taken = Math.max(0, given.length - Math.max(0, grows - room));
    if (taken === 0 && given.length > 0) {
      this.#diary.reach('write refused by a full disk');
      throw this.#fault('ENOSPC', 'write');
    }
    if (taken > 1 && this.#dice.chance(this.faults.shortWrite)) {
      this.#diary.reach('short write');
      this.faultCount++;
      taken = this.#dice.between(1, taken - 1);
    }
    file.write(given.subarray(0, taken), position);
    return taken;
  }

  #datasync(file: MediumFile): void {
    if (this.#dice.chance(this.faults.failedSync)) {
      file.failSync();
      this.#failed.add(file);
      this.#diary.reach('failed datasync');
      throw this.#fault('EIO', 'fdatasync');
    }
    file.endSync();
  }

  /** Lets the operation wait for the simulation, which may let it fail. */
  #operation<T>(
    kind: DiskOperation,
    path: string,
    perform: () => T,
    leave: () => void = perform,
  ): Promise<T> {
    if (!this.#alive) return never;
    // What holds a file or the folder itself goes on in the one that was moved away.
    const isByName = changesOfNames.has(kind) && kind !== 'syncDir' && kind !== 'truncate';
    if (this.#medium.isSwapped && isByName) {
      this.#diary.violation(`${kind} of ${path}, in a folder that is another's by now`);
    }
    return new Promise((resolve, reject) => {
      const complete = (): void => {
        try {
          this.#failNow(kind);
          resolve(perform());
        } catch (error) {
          reject(error);
        }
      };
      this.#pending.push({ kind, path, complete, leave: () => quietly(leave) });
    });
  }

  #failNow(kind: DiskOperation): void {
    const { exhausted } = this.#medium;
    if (exhausted === 'descriptors' && openings.has(kind)) {
      this.#diary.reach('no descriptor left');
      throw this.#fault('EMFILE', `${kind}, ${forNow}`);
    }
    if (exhausted === 'inodes' && kind === 'create') {
      this.#diary.reach('no inode left');
      throw this.#fault('ENOSPC', `${kind}, ${forNow}`);
    }
    const isRead = reads.has(kind);
    if (exhausted === 'reads' && isRead) {
      this.#diary.reach('reads failed for a while');
      throw this.#fault('EIO', `${kind}, ${forNow}`);
    }
    if (!isRead && !changesOfNames.has(kind)) return;
    const { failedRead, failedName } = this.faults;
    if (!this.#dice.chance(isRead ? failedRead : failedName)) return;
    this.#diary.reach(isRead ? 'failed read' : 'failed change of a name');
    throw this.#fault('EIO', kind);
  }

  #fault(code: string, syscall: string): Error {
    this.faultCount++;
    return Object.assign(new Error(`${code}: simulated, ${syscall}`), { code, syscall });
  }

  #file(path: string): MediumFile {
    const file = this.#medium.names.get(path);
    if (file !== undefined) return file;
    throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT', syscall: 'open' });
  }
}

/** A process that is killed hears of no error. */
function quietly(action: () => void): void {
  try {
    action();
  } catch {
    return;
  }
}
