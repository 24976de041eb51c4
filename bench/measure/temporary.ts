/** Temporary folders and child processes of a bench, gone when it ends, also when it is ended in the middle. */

import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { treeOf } from './processes.ts';

const removal = { recursive: true, force: true, maxRetries: 5 } as const;
const interrupted = 130;
const folders = new Set<string>();

/** Runs `act` with a folder of its own. */
export async function withFolder<T>(act: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'aiq-bench-'));
  folders.add(dir);
  try {
    return await act(dir);
  } finally {
    await rm(dir, removal);
    folders.delete(dir);
  }
}

/** A broker that runs on its own notices that its folder is gone; children are ended by pid. */
export function cleanUpOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const pid of treeOf(process.pid).slice(1)) kill(pid);
      for (const folder of folders) rmSync(folder, removal);
      process.exit(interrupted);
    });
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
