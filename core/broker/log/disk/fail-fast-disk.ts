/** A disk whose operations all fail once the log has failed. */

import type { Disk, DiskDir, DiskFile } from './disk.ts';

/** Runs `check` before each operation but close; its exception is the operation's error. */
export function failFastDisk(disk: Disk, check: () => void): Disk {
  const guarded = <T>(operation: () => Promise<T>) => afterCheck(check, operation);
  return {
    makeDir: (path) => guarded(() => disk.makeDir(path)),
    list: (dir) => guarded(() => disk.list(dir)),
    readFile: (path) => guarded(() => disk.readFile(path)),
    create: (path) => guarded(async () => failFastFile(await disk.create(path), check)),
    open: (path) => guarded(async () => failFastFile(await disk.open(path), check)),
    openForReading: (path) => guarded(() => disk.openForReading(path)),
    rename: (from, to) => guarded(() => disk.rename(from, to)),
    link: (from, to) => guarded(() => disk.link(from, to)),
    remove: (path) => guarded(() => disk.remove(path)),
    openDir: (path) => guarded(async () => failFastDir(await disk.openDir(path), check)),
    space: (dir) => guarded(() => disk.space(dir)),
  };
}

export function failFastFile(file: DiskFile, check: () => void): DiskFile {
  const guarded = <T>(operation: () => Promise<T>) => afterCheck(check, operation);
  return {
    read: (into, position) => guarded(() => file.read(into, position)),
    size: () => guarded(() => file.size()),
    write: (buffers, position) => guarded(() => file.write(buffers, position)),
    datasync: () => guarded(() => file.datasync()),
    truncate: (bytes) => guarded(() => file.truncate(bytes)),
    close: () => file.close(),
  };
}

function failFastDir(dir: DiskDir, check: () => void): DiskDir {
  return { sync: () => afterCheck(check, () => dir.sync()), close: () => dir.close() };
}

async function afterCheck<T>(check: () => void, operation: () => Promise<T>): Promise<T> {
  check();
  return await operation();
}
