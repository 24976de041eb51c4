/** Records of kinds that are no more: a log that holds them is read as if they were not there. */

import { expect, test } from 'vitest';
import { SegmentSummary } from '../../../../../core/broker/state-machine/records/segment-summary.ts';
import { checkedJob, Driver } from '../driver.ts';

/** What a development version wrote: of each kind its number and the fields of a scope named `s`. */
const retired = [
  // scopeSet: scope, limitUnits, windowMs, usedUnits, atMs
  `0f 00000001 73 ${'0000000000000009'.repeat(4)}`,
  // reserved: reservation, session, scopes, atMs
  `10 ${'01'.repeat(16)} ${'02'.repeat(16)} 00000001 00000001 73 ${'0000000000000003'.repeat(2)}`,
  // reservationEnded: reservation, scopes, atMs
  `11 ${'01'.repeat(16)} 00000001 00000001 73 ${'0000000000000003'.repeat(2)}`,
].map((hex) => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex')));

function logWithRetired(): Uint8Array[] {
  const driver = new Driver();
  driver.open(1);
  driver.enqueue(1, [checkedJob({ id: 1 })]);
  driver.log.push(...retired);
  return driver.log;
}

test('replay skips them, and compaction leaves nothing of them', () => {
  const driver = new Driver(logWithRetired());
  expect(driver.stateOf(1)).toBe('ready');
  const upTo = driver.log.length;
  driver.compact(upTo);
  driver.drop(upTo);
  const kinds = driver.log.slice(upTo).map(([kind]) => kind);
  expect(kinds.filter((kind) => [15, 16, 17].includes(kind ?? 0))).toEqual([]);
  expect(driver.restarted().stateOf(1)).toBe('ready');
});

test('a summary has nothing of them', () => {
  const summary = new SegmentSummary();
  const log = logWithRetired();
  for (const [index, bytes] of log.entries()) summary.add({ offset: index + 1, bytes });
  const short = [...summary.finish()].map(({ bytes }) => bytes);
  expect(short.map(([kind]) => kind)).toEqual([1, 40]);
});
