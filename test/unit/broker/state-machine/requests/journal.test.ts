/** Journals: written once, from any lease that a job ever had, gone with the job. */

import { describe, expect, test } from 'vitest';
import { putEntry } from '../../../../../core/broker/state-machine/requests/journal-requests.ts';
import { limits } from '../../../../../core/protocol/index.ts';
import { ContentDriver, callOf, contentOf, idOf, inline, refOf } from '../content-driver.ts';
import { textOf } from '../fake-core.ts';

const content = contentOf(1, 1000);
const ref = refOf(content);
const asBlob = { inline: null, blob: ref };

function driverWithJob(): ContentDriver {
  const driver = new ContentDriver();
  driver.job(1);
  return driver;
}

describe('an entry', () => {
  test('stands as it was first written, whatever comes later', () => {
    const driver = driverWithJob();
    expect(driver.journal(1, 5, inline('first')).fields).toEqual({ value: inline('first') });
    expect(driver.journal(1, 5, inline('second')).fields).toEqual({ value: inline('first') });
    expect(driver.journal(1, 5, inline('first')).fields).toEqual({ value: inline('first') });
    expect(driver.entry(1, 5).fields).toEqual({ value: inline('first') });
    expect(driver.core.kinds()).toEqual(['journaled']);
  });

  test('belongs to one call of one job', () => {
    const driver = driverWithJob();
    driver.job(2);
    driver.journal(1, 5, inline('a'));
    driver.journal(1, 6, inline('b'));
    driver.journal(2, 5, inline('c'));
    expect(driver.entry(1, 5).fields).toEqual({ value: inline('a') });
    expect(driver.entry(1, 6).fields).toEqual({ value: inline('b') });
    expect(driver.entry(2, 5).fields).toEqual({ value: inline('c') });
    expect(driver.entry(2, 6).fields).toEqual({ value: null });
  });

  test('may be empty', () => {
    const driver = driverWithJob();
    expect(driver.journal(1, 5, inline('')).fields).toEqual({ value: inline('') });
    expect(driver.entry(1, 5).fields).toEqual({ value: inline('') });
  });

  test('can be asked for as long as the job is known', () => {
    const driver = driverWithJob();
    driver.journal(1, 5, inline('a'));
    driver.job(1, 'dead');
    expect(driver.entry(1, 5).fields).toEqual({ value: inline('a') });
    driver.endJob(1);
    expect(driver.entry(1, 5).fields).toEqual({ value: null });
    driver.journals.jobs.clear();
    expect(driver.entry(1, 5).name).toBe('NOT_FOUND');
  });

  test('that is a blob needs the whole blob first, and keeps it', () => {
    const driver = driverWithJob();
    expect(driver.journal(1, 5, asBlob).name).toBe('NO_BLOB');
    driver.putPart(content, 0, 500);
    expect(driver.journal(1, 5, asBlob).name).toBe('NO_BLOB');
    driver.putPart(content, 500, 1000);
    const wrongLength = { inline: null, blob: { ...ref, totalBytes: 999 } };
    expect(driver.journal(1, 5, wrongLength).name).toBe('NO_BLOB');
    expect(driver.journal(1, 5, asBlob).fields).toEqual({ value: asBlob });
    driver.tick();
    driver.tick(2 * 3600 * 1000);
    expect(driver.readAll(ref)).toEqual(content);
    driver.endJob(1);
    driver.tick();
    driver.tick(3600 * 1000);
    expect(driver.get(ref).name).toBe('NO_BLOB');
  });
});

describe('a lease', () => {
  test.each(['leased', 'ready', 'delayed', 'parked', 'dead'] as const)(
    'that a job had may write while the job is %s',
    (state) => {
      const driver = new ContentDriver();
      driver.job(1, state, 3);
      expect(driver.journal(1, 1, inline('a'), { delivery: 1 }).name).toBe('JournalOk');
      expect(driver.journal(1, 2, inline('b'), { delivery: 3 }).name).toBe('JournalOk');
    },
  );

  test.each(['done', 'cancelled'] as const)('writes nothing for a job that is %s', (state) => {
    const driver = new ContentDriver();
    driver.job(1, state);
    expect(driver.journal(1, 1, inline('a')).name).toBe('BAD_STATE');
    expect(driver.core.endOffset).toBe(0);
  });

  test.each([
    ['a later delivery', { delivery: 4 }],
    ['a later epoch', { epoch: 3, delivery: 1 }],
    ['the newest delivery in another epoch', { epoch: 1, delivery: 3 }],
    ['no delivery', { delivery: 0 }],
  ])('that the job never had writes nothing: %s', (_, token) => {
    const driver = new ContentDriver();
    driver.journals.jobs.set(idOf(1), { state: 'leased', deliveries: 3, leaseEpoch: 2 });
    expect(driver.journal(1, 1, inline('a'), token).name).toBe('STALE_LEASE');
    expect(driver.journal(1, 1, inline('a'), { epoch: 2, delivery: 3 }).name).toBe('JournalOk');
    expect(driver.journal(1, 2, inline('a'), { epoch: 1, delivery: 2 }).name).toBe('JournalOk');
  });

  test('of a job that was never delivered writes nothing', () => {
    const driver = new ContentDriver();
    driver.job(1, 'ready', 0);
    expect(driver.journal(1, 1, inline('a'), { epoch: 0, delivery: 0 }).name).toBe('STALE_LEASE');
    expect(driver.journal(9, 1, inline('a')).name).toBe('NOT_FOUND');
  });
});

describe('a value', () => {
  test.each([
    ['neither inline nor a blob', { inline: null, blob: null }],
    ['both', { inline: new Uint8Array(1), blob: ref }],
    ['too large to be inline', { inline: new Uint8Array(limits.inlineBytesMax + 1), blob: null }],
    [
      'a blob with a bad hash',
      { inline: null, blob: { sha256: new Uint8Array(5), totalBytes: 1 } },
    ],
  ])('that is %s is refused', (_, value) => {
    const driver = driverWithJob();
    expect(driver.journal(1, 5, value).name).toBe('BAD_REQUEST');
    expect(driver.entry(1, 5).fields).toEqual({ value: null });
  });

  test('of a call without a hash of 32 bytes is refused', () => {
    const driver = driverWithJob();
    const token = { id: idOf(1), epoch: 1, delivery: 1 };
    const fields = { token, callHash: new Uint8Array(31), value: inline('a'), charge: null };
    const refused = driver.core.ask(idOf(1), 0, (caller) =>
      putEntry(caller, driver.journals, fields),
    );
    expect(refused.name).toBe('BAD_REQUEST');
    expect(textOf(refused)).toContain('callHash has 31 bytes');
  });

  test('of the largest inline size is taken', () => {
    const driver = driverWithJob();
    const value = { inline: contentOf(3, limits.inlineBytesMax), blob: null };
    expect(driver.journal(1, 5, value).name).toBe('JournalOk');
    expect(driver.entry(1, 5).fields).toEqual({ value });
  });
});

describe('a journal', () => {
  test('has at most 1000 entries, and each of them can still be written again', () => {
    const driver = driverWithJob();
    driver.job(2);
    for (let call = 0; call < 1000; call++) driver.journal(1, call, inline(String(call)));
    const refused = driver.journal(1, 1000, inline('x'));
    expect(refused.name).toBe('BAD_STATE');
    expect(textOf(refused)).toContain('1000 entries');
    expect(driver.journal(1, 999, inline('x')).fields).toEqual({ value: inline('999') });
    expect(driver.journal(2, 1000, inline('x')).name).toBe('JournalOk');
  });

  test('has at most 64 MiB in blobs', () => {
    const driver = driverWithJob();
    const sizes = { sha256: callOf(9), totalBytes: 40 * 1024 * 1024 };
    // The bytes themselves do not matter here: the store is told that it has them.
    driver.apply({ kind: 'blobStored', ...sizes, atMs: 1 }, 1);
    driver.core.endOffset = 1;
    const value = { inline: null, blob: sizes };
    expect(driver.journal(1, 1, value).name).toBe('JournalOk');
    expect(driver.journal(1, 2, value).name).toBe('BAD_STATE');
    expect(driver.journal(1, 2, inline('small')).name).toBe('JournalOk');
  });

  test('goes with its job, alone', () => {
    const driver = driverWithJob();
    driver.job(2);
    driver.journal(1, 1, inline('a'));
    driver.journal(2, 1, inline('b'));
    driver.journal(1, 2, inline('c'));
    driver.endJob(1);
    expect(driver.journals.store.logOrder.oldestUpTo(Infinity, 10)).toEqual([2]);
    expect(driver.journals.store.entryCount).toBe(1);
    expect(driver.journals.store.entryCountOf(idOf(1))).toBe(0);
    expect(driver.entry(2, 1).fields).toEqual({ value: inline('b') });
  });

  test('of a job that is not known after a start is dropped with its blobs', () => {
    const driver = driverWithJob();
    driver.putAll(content);
    driver.journal(1, 1, asBlob);
    driver.journals.store.afterReplay(() => true);
    expect(driver.journals.store.entryCount).toBe(1);
    driver.journals.store.afterReplay((id) => id !== idOf(1));
    expect(driver.journals.store.entryCount).toBe(0);
    expect(driver.blobs.store.unreferenced.has(driver.blobs.store.find(ref.sha256)!.key)).toBe(
      true,
    );
  });
});

describe('compaction', () => {
  test('moves entries that still count, and only those', () => {
    const driver = driverWithJob();
    driver.job(2);
    driver.journal(1, 1, inline('a'));
    driver.journal(2, 1, inline('b'));
    driver.journal(1, 2, inline('c'));
    const { core } = driver;
    driver.endJob(2);
    for (const offset of [1, 2]) {
      driver.move(offset);
      driver.move(offset);
    }
    expect(driver.journals.store.logOrder.oldestUpTo(Infinity, 10)).toEqual([3, 5]);
    core.dropBefore(3);
    expect(driver.entry(1, 1).fields).toEqual({ value: inline('a') });
    expect(driver.entry(1, 2).fields).toEqual({ value: inline('c') });
  });
});
