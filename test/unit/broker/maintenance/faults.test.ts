/**
 * The tools on a disk that fails for a while: what the system could not do just then is never told as
 * damage and costs no record. A tool gives up with the system's error, or has all of it.
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

interface Disturbance {
  readonly from: number;
  readonly operations: number;
  readonly code: string;
}

/** A disk of which some operations in a row fail; tells how many it was asked for. */
function disturbedDisk({ from, operations, code }: Disturbance): {
  readonly disk: Disk;
  readonly asked: () => number;
} {
  let asked = 0;
  const disturbed = (work: (...given: never[]) => Promise<unknown>) =>
    (async (...given: never[]) => {
      const operation = asked++;
      if (operation >= from && operation < from + operations) {
        throw Object.assign(new Error(`${code}: not just now`), { code });
      }
      const result = await work(...given);
      return isFile(result) ? wrapped(result) : result;
    }) as never;
  const wrapped = <Thing extends object>(thing: Thing): Thing =>
    Object.fromEntries(
      Object.entries(thing).map(([name, work]) => [
        name,
        name === 'close' ? work : disturbed(work),
      ]),
    ) as Thing;
  return { disk: wrapped(nodeDisk), asked: () => asked };
}

function isFile(result: unknown): result is object {
  return typeof result === 'object' && result !== null && 'close' in result;
}

const whole = { problems: [], jobs: { live: 4, finished: 2 } };
/** Longer than a second try of one operation. */
const lasting = 5;
/** What the system refuses for want of something, or because it was interrupted. */
const codes = ['EMFILE', 'ENFILE', 'ENOMEM', 'EACCES', 'EINTR', 'EAGAIN', 'ENOSPC', 'EDQUOT'];
/** A disk that stumbles once: the second try reads what is there. */
const disturbances = [
  ...codes.map((code) => ({ code, operations: lasting })),
  { code: 'EIO', operations: 1 },
];

test.each(disturbances)('a verification that meets $code for a while', async (disturbance) => {
  const dir = await writeLog(plainLog);
  let reached = true;
  for (let from = 0; reached; from++) {
    const { disk, asked } = disturbedDisk({ ...disturbance, from });
    const told = await verifyLog(dir, { disk }).catch(String);
    reached = asked() > from;
    if (typeof told === 'string') expect(told).toContain(`${disturbance.code}: not just now`);
    else expect(told, `operation ${from}`).toMatchObject(whole);
  }
});

type Tool = (from: string, to: string, options: { disk?: Disk }) => Promise<unknown>;

const tools: [name: string, tool: Tool][] = [
  ['a backup', backupLog],
  ['a restore', restoreLog],
  [
    'a salvage',
    async (from, to, options) =>
      expect((await salvageLog(from, to, options)).loss.lost).toMatchObject({ records: 0 }),
  ],
];

test.each(tools)(
  '%s on a disk that fails for a while has all of the log or none',
  async (_, tool) => {
    const log = await writeLog(plainLog);
    const before = contentOf(log);
    let reached = true;
    for (let from = 0; reached; from++) {
      const to = temporaryDir();
      const disturbance = disturbances[from % disturbances.length]!;
      const { disk, asked } = disturbedDisk({ ...disturbance, from });
      const told = await tool(log, to, { disk }).then(() => null, String);
      reached = asked() > from;
      const what = `operation ${from}: ${disturbance.code}`;
      if (told !== null) expect(told, what).toContain(`${disturbance.code}: not just now`);
      else expect(existsSync(join(to, 'log')), what).toBe(true);
      if (!existsSync(join(to, 'log'))) await tool(log, to, {});
      expect(await verifyLog(to), what).toMatchObject(whole);
    }
    expect(contentOf(log)).toEqual(before);
  },
);
