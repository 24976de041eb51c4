/**
 * Lives of a log on a disk that may fail at any operation: each life appends over several segments,
 * has summaries made, drops its beginning meanwhile and closes. And the oracle for what is left.
 */

import { expect } from 'vitest';
import { logDir, nextTurn, type OpenedLog, openOn } from './log-harness.ts';
import type { MemoryDisk } from './memory-disk.ts';

export const livesOptions = { segmentBytesMax: 2500 };

export function recordAt(offset: number): string {
  return `${offset} `.repeat(1 + ((offset * 37) % 400));
}

/** What was said to be so while the log lived. */
export interface Said {
  /** Highest offset that was reported durable. */
  readonly durable: number;
  /** Nothing before this offset had to be kept. */
  readonly droppedBefore: number;
  /** True when nothing failed. */
  readonly wentWell: boolean;
}

export async function liveUntilFailure(disk: MemoryDisk, lives = 2): Promise<Said> {
  let said: Said = { durable: 0, droppedBefore: 1, wentWell: true };
  for (let life = 0; life < lives; life++) {
    const opened = await openOn(disk, livesOptions).catch(() => null);
    if (opened === null) return { ...said, wentWell: false };
    said = await live(opened, said);
    if (!said.wentWell) return said;
  }
  return said;
}

async function live(opened: OpenedLog, before: Said): Promise<Said> {
  const { log, durable, failures } = opened;
  let wentWell = await appendGroups(opened, 3);
  let { droppedBefore } = before;
  if (wentWell) {
    await idle(opened);
    droppedBefore = log.endOffset - 2;
    const dropping = log.dropBefore(droppedBefore).catch(() => undefined);
    wentWell = await appendGroups(opened, 2);
    await dropping;
  }
  await idle(opened);
  const closed = await log.close().then(
    () => true,
    () => false,
  );
  expect(failures.length, 'a failure is told once').toBe(wentWell && closed ? 0 : 1);
  const promised = Math.max(before.durable, ...durable);
  return { durable: promised, droppedBefore, wentWell: wentWell && closed };
}

async function appendGroups({ log, failures }: OpenedLog, groups: number): Promise<boolean> {
  for (let group = 1; group <= groups; group++) {
    for (let count = 0; count <= group; count++) {
      if (failures.length > 0) return false;
      log.append(Buffer.from(recordAt(log.endOffset + 1)));
    }
    while (failures.length === 0 && log.durableOffset < log.endOffset) await nextTurn();
  }
  return failures.length === 0;
}

/** Lets the summaries be made. */
async function idle({ disk, failures }: OpenedLog): Promise<void> {
  let seen = -1;
  for (let quiet = 0; quiet < 8 && failures.length === 0; quiet++) {
    if (disk.operations !== seen) quiet = 0;
    seen = disk.operations;
    await nextTurn();
  }
}

/** The disk fails from operation `from` on: the process is gone, or the device is. */
export function failFrom(disk: MemoryDisk, from: number): void {
  disk.before = () => {
    if (disk.operations >= from) throw new Error('EIO');
  };
}

/** Opens what is left and holds it against what was said; then uses it. */
export async function expectKept(disk: MemoryDisk, said: Said, what: string): Promise<void> {
  const { replayed, log, compactedUpTo } = await openOn(disk, livesOptions);
  const { firstOffset, endOffset } = log;
  expect(endOffset, what).toBeGreaterThanOrEqual(said.durable);
  expect(firstOffset, what).toBeLessThanOrEqual(said.droppedBefore);
  expect(replayed.length, what).toBe(endOffset - firstOffset + 1);
  for (const [index, record] of replayed.entries()) {
    const offset = firstOffset + index;
    if (record !== recordAt(offset)) expect.fail(`${what}: record ${offset} is not its own`);
    const read = Buffer.from(await log.read(offset)).toString();
    if (read !== record) expect.fail(`${what}: record ${offset} reads differently`);
  }
  expect(compactedUpTo >= firstOffset - 1, what).toBe(true);
  expectTidy(disk, log.segments[0]?.number ?? 0, what);
  // And the log that recovery left works: once more, with one record behind.
  log.append(Buffer.from(recordAt(endOffset + 1)));
  await log.close();
  const again = await openOn(disk.afterPowerCut(), livesOptions);
  expect(again.log.endOffset, what).toBe(endOffset + 1);
  expect(again.report, what).toMatchObject({ clean: true, tornTail: null });
}

/** No file is left that the log does not need. */
function expectTidy(disk: MemoryDisk, firstSegment: number, what: string): void {
  for (const path of disk.files.keys()) {
    const [, number] = /^\/log\/(\d{10})\.(?:log|summary)$/.exec(path) ?? [];
    const isProof = path === `${logDir}/proven` || path.startsWith(`${logDir}/quarantine/`);
    const isKept = isProof || Number(number) >= firstSegment;
    if (!isKept) expect.fail(`${what}: ${path} is of no use`);
  }
}
