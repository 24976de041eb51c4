/** What a reader must know of the machine that figures come from. */

import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { durableBytesPerSecond, fileSystemOf, syncsPerSecond } from '../measure/disk.ts';

export async function machineLines(): Promise<string[]> {
  const dir = await mkdtemp(join(tmpdir(), 'aiq-bench-'));
  try {
    const rate = (await syncsPerSecond(dir)).toFixed(0);
    const bandwidth = ((await durableBytesPerSecond(dir)) / 1024 / 1024).toFixed(0);
    const model = cpus()[0]?.model.trim() ?? 'unknown';
    return [
      `${availableParallelism()} cores (${model}), load ${loadavg()[0]?.toFixed(1)} before, Node ${process.version}`,
      `${await fileSystemOf(dir)}: ${rate} appends of 4 KiB with fdatasync a second, ${bandwidth} MiB a second in large ones`,
    ];
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
