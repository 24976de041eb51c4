/** A disk that takes nothing more once the log failed, whoever is in the middle of something. */

import type { Disk, DiskDir, DiskFile } from './disk.ts';

/** Runs `check` before each operation but closing; what it throws is the operation's error. */
export function failFastDisk(disk: Disk, check: () => void): Disk {
  const first = <T>(operation: () => Promise<T>) => afterCheck(check, operation);
  return {
    makeDir: (path) => first(() => disk.makeDir(path)),
    list: (dir) => first(() => disk.list(dir)),
    readFile: (path) => first(() => disk.readFile(path)),
    create: (path) => first(async () => failFastFile(await disk.create(path), check)),
    open: (path) => first(async () => failFastFile(await disk.open(path), check)),
    openForReading: (path) => first(() => disk.openForReading(path)),
    rename: (from, to) => first(() => disk.rename(from, to)),
    link: (from, to) => first(() => disk.link(from, to)),
    remove: (path) => first(() => disk.remove(path)),
    openDir: (path) => first(async () => stoppableDir(await disk.openDir(path), check)),
    space: (dir) => first(() => disk.space(dir)),
  };
}

export function failFastFile(file: DiskFile, check: () => void): DiskFile {
  const first = <T>(operation: () => Promise<T>) => afterCheck(check, operation);
  return {
    read: (into, position) => first(() => file.read(into, position)),
    size: () => first(() => file.size()),
    write: (buffers, position) => first(() => file.write(buffers, position)),
    datasync: () => first(() => file.datasync()),
    truncate: (bytes) => first(() => file.truncate(bytes)),
    close: () => file.close(),
  };
}

function stoppableDir(dir: DiskDir, check: () => void): DiskDir {
  return { sync: () => afterCheck(check, () => dir.sync()), close: () => dir.close() };
}

async function afterCheck<T>(check: () => void, operation: () => Promise<T>): Promise<T> {
  check();
  return await operation();
}
