/** What a reader must know of the machine that figures come from. */

import { availableParallelism, cpus, loadavg } from 'node:os';
import { durableBytesPerSecond, fileSystemOf, syncsPerSecond } from '../measure/disk.ts';
import { withFolder } from '../measure/temporary.ts';

export function machineLines(): Promise<string[]> {
  return withFolder(async (dir) => {
    const rate = (await syncsPerSecond(dir)).toFixed(0);
    const bandwidth = ((await durableBytesPerSecond(dir)) / 1024 / 1024).toFixed(0);
    const model = cpus()[0]?.model.trim() ?? 'unknown';
    return [
      `${availableParallelism()} cores (${model}), load ${loadavg()[0]?.toFixed(1)} before, Node ${process.version}`,
      `${await fileSystemOf(dir)}: ${rate} appends of 4 KiB with fdatasync a second, ${bandwidth} MiB a second in large ones`,
    ];
  });
}
