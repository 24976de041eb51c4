/**
 * Group commit for folders: at most one fsync per folder is in flight, and all callers
 * meanwhile share the next one, so that a folder costs few syncs per second with many jobs at a time.
 */

import { fstatSync } from 'node:fs';
import type { Directory } from './directory.ts';

/** Resolves once all names in the folder at the time of the call are durable. */
export type SyncDirectory = (directory: Directory) => Promise<void>;

interface Group {
  running: Promise<void>;
  next: Promise<void> | null;
}

export function createDirectorySync(): SyncDirectory {
  const groups = new Map<string, Group>();

  function start(key: string, directory: Directory): Promise<void> {
    const group: Group = { running: directory.handle.sync(), next: null };
    groups.set(key, group);
    return group.running.finally(() => {
      if (groups.get(key) === group && group.next === null) groups.delete(key);
    });
  }

  return (directory) => {
    const key = directoryKey(directory);
    const group = groups.get(key);
    if (group === undefined) return start(key, directory);
    // The one in flight may have begun before our names were there.
    group.next ??= group.running.then(
      () => start(key, directory),
      () => start(key, directory),
    );
    return group.next;
  };
}

/** The identity of a folder, whatever path led to it. */
export function directoryKey(directory: Directory): string {
  const { dev, ino } = fstatSync(directory.handle.fd);
  return `${dev}:${ino}`;
}
