/**
 * The tools on a disk that fails at any one of its operations, for good: what is left is either the
 * whole result or nothing that could be taken for one, and the same command works afterwards.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Disk, nodeDisk } from '../../../../core/broker/log/disk/disk.ts';
import { backupLog } from '../../../../core/broker/maintenance/backup.ts';
import { restoreLog } from '../../../../core/broker/maintenance/restore.ts';
import { salvageLog } from '../../../../core/broker/maintenance/salvage/salvage.ts';
import { verifyLog } from '../../../../core/broker/maintenance/verify.ts';
import { contentOf, plainLog, temporaryDir, writeLog } from './logs.ts';

/** A disk that does so many operations and then no more. */
function mortalDisk(operations: number): { readonly disk: Disk; readonly isDead: () => boolean } {
  let left = operations;
  const dying = (work: (...given: never[]) => Promise<unknown>) =>
    (async (...given: never[]) => {
      left -= 1;
      if (left < 0) throw new Error('EIO: the disk is gone');
      const result = await work(...given);
      return isFile(result) ? wrapped(result) : result;
    }) as never;
  const wrapped = <Thing extends object>(thing: Thing): Thing =>
    Object.fromEntries(
      // The end of a process closes its files, whatever the disk says.
      Object.entries(thing).map(([name, work]) => [name, name === 'close' ? work : dying(work)]),
    ) as Thing;
  return { disk: wrapped(nodeDisk), isDead: () => left < 0 };
}

function isFile(result: unknown): result is object {
  return typeof result === 'object' && result !== null && 'close' in result;
}

type Tool = (from: string, to: string, options: { disk?: Disk }) => Promise<unknown>;

const tools: [name: string, tool: Tool][] = [
  ['a backup', backupLog],
  ['a restore', restoreLog],
  ['a salvage', salvageLog],
];

test.each(tools)(
  '%s that fails anywhere leaves nothing half made, and can be repeated',
  async (_, tool) => {
    const from = await writeLog(plainLog);
    const before = contentOf(from);
    let whole = false;
    for (let operations = 0; !whole; operations++) {
      const to = temporaryDir();
      const { disk, isDead } = mortalDisk(operations);
      const failed = await tool(from, to, { disk }).then(
        () => null,
        (error: unknown) => error,
      );
      whole = !isDead();
      const what = `after ${operations} operations`;
      if (!whole) expect(String(failed), what).toContain('EIO');
      if (existsSync(join(to, 'log'))) {
        expect((await verifyLog(to)).problems, what).toEqual([]);
      } else await tool(from, to, {});
      expect(await verifyLog(to), what).toMatchObject({ jobs: { live: 4, finished: 2 } });
    }
    expect(contentOf(from)).toEqual(before);
  },
);
