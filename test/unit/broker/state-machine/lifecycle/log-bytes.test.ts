/**
 * How much of the log is alive: compaction runs as long as more is dead than alive, so a sum that
 * is too small never lets it rest, and one that is too large never lets it begin.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeRecord } from '../../../../../core/broker/state-machine/records/records.ts';
import { bytesOf, checkedJob, Driver } from '../driver.ts';
import { someSteps, Traffic } from '../traffic.ts';

/** Says everything again and returns the bytes of jobs, chunks and entries that this took. */
function rewritten(driver: Driver): number {
  const upTo = driver.log.length;
  for (let round = 0; !driver.machine.isFullyRewritten(upTo); round++) {
    if (round > 500) throw new Error('compaction does not come to an end');
    driver.compact(upTo, 1 << 20);
  }
  return driver.log.slice(upTo).reduce((sum, record) => {
    const { kind } = decodeRecord(record);
    const counts = kind === 'snapshot' || kind === 'blobChunk' || kind === 'journaled';
    return sum + (counts ? record.length : 0);
  }, 0);
}

test('after compaction the live bytes are about those that it wrote, for any traffic', () => {
  fc.assert(
    fc.property(someSteps(20, 120), (steps) => {
      const traffic = new Traffic();
      for (const step of steps) traffic.play(step);
      const { driver } = traffic;
      const written = rewritten(driver);
      const live = driver.machine.logLiveBytes;
      expect(live).toBeGreaterThanOrEqual(written);
      // Each thing counts with room for its frame and for fields that it may lack.
      const things = driver.machine.jobCount + 60;
      expect(live - written).toBeLessThan(200 * things);
    }),
    { numRuns: 60 },
  );
});

describe('the live bytes', () => {
  test('count follow-up jobs for themselves and not for the job that brought them', () => {
    const driver = new Driver();
    driver.open(1);
    driver.enqueue(1, [checkedJob()]);
    driver.subscribe(1, 1);
    const [delivery] = driver.deliveries(1);
    driver.subscribe(1, 0);
    const before = driver.machine.logLiveBytes;
    const body = 'x'.repeat(100_000);
    const enqueue = [2, 3].map((id) => bytesOf(checkedJob({ id, body })));
    driver.settle(1, delivery!.token, 'ack', { enqueue });
    const grown = driver.machine.logLiveBytes - before;
    expect(grown).toBeGreaterThan(200_000);
    expect(grown).toBeLessThan(203_000);
    // A start knows the same.
    expect(driver.restarted().machine.logLiveBytes).toBe(driver.machine.logLiveBytes);
  });

  test('count what a journal holds', () => {
    const driver = new Driver();
    driver.open(1);
    driver.enqueue(1, [checkedJob()]);
    driver.subscribe(1, 1);
    const { token } = driver.deliveries(1)[0]!;
    const before = driver.machine.logLiveBytes;
    const value = { inline: new Uint8Array(50_000), blob: null };
    driver.request(1, 'JournalPut', { token, callHash: new Uint8Array(32), value, charge: null });
    expect(driver.machine.logLiveBytes - before).toBeGreaterThan(50_000);
    driver.settle(1, token);
    expect(driver.machine.logLiveBytes).toBeLessThan(before + 1_000);
  });

  test('do not count the body of a job that is over', () => {
    const driver = new Driver();
    driver.open(1);
    driver.enqueue(1, [checkedJob({ body: 'x'.repeat(10_000) })]);
    const before = driver.machine.logLiveBytes;
    driver.subscribe(1, 1);
    driver.settle(1, driver.deliveries(1)[0]!.token);
    expect(driver.machine.logLiveBytes).toBeLessThan(before - 9_000);
  });
});
