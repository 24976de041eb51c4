/**
 * What stands in the log after compaction, and what its summaries say, makes the very same state as
 * the whole log: for random traffic, and with changes between reading a job and saying it again.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PlacedRecord } from '../../../../../core/broker/state-machine/records/family.ts';
import { SegmentSummary } from '../../../../../core/broker/state-machine/records/segment-summary.ts';
import { checkedJob, Driver } from '../driver.ts';
import { dumpOf, placed } from '../dump.ts';
import { type Step, someSteps, Traffic } from '../traffic.ts';

/** The log cut into segments of these lengths, each in its short form. */
function summaries(records: readonly PlacedRecord[], lengths: readonly number[]): PlacedRecord[] {
  const short: PlacedRecord[] = [];
  for (let at = 0, segment = 0; at < records.length; segment++) {
    const length = lengths[segment % lengths.length] ?? 1;
    const summary = new SegmentSummary();
    for (const record of records.slice(at, at + length)) summary.add(record);
    short.push(...summary.finish());
    at += length;
  }
  return short;
}

function kept({ log, cut }: Driver): PlacedRecord[] {
  return placed(log).filter(({ offset }) => offset > cut.droppedUpTo);
}

/** Compacts up to a part of the log while traffic goes on; returns how many steps it could take. */
function compact(
  traffic: Traffic,
  percent: number,
  meanwhile: readonly Step[],
  bytesMax = 4096,
): number {
  const upTo = Math.floor((traffic.driver.log.length * percent) / 100);
  const { driver } = traffic;
  let round = 0;
  for (; !driver.machine.isFullyRewritten(upTo); round++) {
    expect(round, 'compaction comes to an end').toBeLessThan(500);
    driver.slowReads = [];
    driver.compact(upTo, bytesMax);
    // A restart amid it leaves a driver behind whose reads count no more.
    const step = meanwhile[round];
    if (step !== undefined && step.what !== 'restart') traffic.play(step);
    driver.endSlowReads();
  }
  if (upTo > driver.cut.droppedUpTo) driver.drop(upTo);
  return round;
}

describe('random traffic', () => {
  test('makes the same state from the summaries of any segments', () => {
    fc.assert(
      fc.property(
        someSteps(20, 120),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
        (steps, lengths) => {
          const traffic = new Traffic();
          for (const step of steps) traffic.play(step);
          const { driver } = traffic;
          const whole = dumpOf(placed(driver.log), driver.now);
          expect(dumpOf(summaries(placed(driver.log), lengths), driver.now)).toEqual(whole);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('is known in full after compaction amid it, from records and from summaries', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            before: someSteps(5, 60),
            meanwhile: someSteps(0, 8),
            percent: fc.integer({ min: 0, max: 100 }),
          }),
          { minLength: 1, maxLength: 4 },
        ),
        someSteps(0, 20),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
        (rounds, after, lengths) => {
          const traffic = new Traffic();
          for (const { before, meanwhile, percent } of rounds) {
            for (const step of before) traffic.play(step);
            compact(traffic, percent, meanwhile);
          }
          for (const step of after) traffic.play(step);
          const { driver } = traffic;
          const { compactedUpTo } = driver.cut;
          const whole = dumpOf(placed(driver.log), driver.now);
          expect(dumpOf(kept(driver), driver.now, compactedUpTo)).toEqual(whole);
          const short = summaries(kept(driver), lengths);
          expect(dumpOf(short, driver.now, compactedUpTo)).toEqual(whole);
          // A crash before the old segments went: everything is there, said again in part.
          const all = summaries(placed(driver.log), lengths);
          expect(dumpOf(all, driver.now)).toEqual(whole);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('looks the same to clients before and after compaction and a restart', () => {
    fc.assert(
      fc.property(someSteps(20, 100), fc.integer({ min: 0, max: 100 }), (steps, percent) => {
        const traffic = new Traffic();
        for (const step of steps) traffic.play(step);
        // Retention and bulk operations have done what they had to.
        traffic.driver.advance(1_000);
        const before = traffic.seen();
        compact(traffic, percent, []);
        expect(traffic.seen()).toEqual(before);
        traffic.restartAlone();
        expect(traffic.seen()).toEqual(before);
      }),
      { numRuns: 60 },
    );
  });

  test('looks the same to clients whether or not it was compacted amid it', () => {
    fc.assert(
      fc.property(
        someSteps(20, 80),
        someSteps(5, 20),
        fc.integer({ min: 50, max: 100 }),
        (before, meanwhile, percent) => {
          const [compacted, plain] = [new Traffic(), new Traffic()];
          for (const step of before) {
            compacted.play(step);
            plain.play(step);
          }
          const steps = meanwhile.filter(({ what }) => what !== 'restart');
          // Small portions, so that every step falls between a read and what comes of it.
          const done = compact(compacted, percent, steps, 100);
          for (const step of steps.slice(0, done)) plain.play(step);
          expect(compacted.seen()).toEqual(plain.seen());
        },
      ),
      { numRuns: 60 },
    );
  });
});

test('a segment is needed while it holds but an entry of a journal', () => {
  const driver = new Driver();
  driver.open(1);
  driver.enqueue(1, [checkedJob()]);
  driver.subscribe(1, 1);
  const { token } = driver.deliveries(1)[0]!;
  const jobIsAt = driver.log.length;
  const value = { inline: new Uint8Array(9), blob: null };
  driver.request(1, 'JournalPut', { token, callHash: new Uint8Array(32), value, charge: null });
  const entryIsAt = driver.log.length;
  driver.compact(jobIsAt);
  expect(driver.machine.isFullyRewritten(jobIsAt)).toBe(true);
  expect(driver.machine.isFullyRewritten(entryIsAt)).toBe(false);
  driver.compact(entryIsAt);
  expect(driver.machine.isFullyRewritten(entryIsAt)).toBe(true);
});
