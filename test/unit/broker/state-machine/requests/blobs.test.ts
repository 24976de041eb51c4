/** Blobs: uploads in chunks, what is stored, what is read, what goes and when. */

import { describe, expect, test } from 'vitest';
import {
  blobsDueAtMs,
  dropCutUploads,
  dropUploadsOf,
} from '../../../../../core/broker/state-machine/lifecycle/blob-expiry.ts';
import { limits, type Message } from '../../../../../core/protocol/index.ts';
import { ContentDriver, callOf, contentOf, idOf, refOf } from '../content-driver.ts';
import { textOf } from '../fake-core.ts';

const hourMs = 3600 * 1000;
const content = contentOf(1, 1000);
const ref = refOf(content);

describe('an upload', () => {
  test('is complete with its last chunk, and can be read from then on', () => {
    const driver = new ContentDriver();
    expect(driver.putPart(content, 0, 400).fields).toEqual({ storedBytes: 400, complete: false });
    expect(driver.blobs.store.isStored(ref)).toBe(false);
    expect(driver.get(ref).name).toBe('NO_BLOB');
    expect(driver.putPart(content, 400, 1000).fields).toEqual({
      storedBytes: 1000,
      complete: true,
    });
    expect(driver.blobs.store.isStored(ref)).toBe(true);
    expect(driver.blobs.store.isStored({ ...ref, totalBytes: 999 })).toBe(false);
    expect(driver.readAll(ref)).toEqual(content);
    expect(driver.core.kinds()).toEqual(['blobChunk', 'blobChunk', 'blobStored']);
  });

  test('of one chunk needs one request', () => {
    const driver = new ContentDriver();
    expect(driver.putAll(content).fields).toEqual({ storedBytes: 1000, complete: true });
  });

  test('that is repeated, in whole or in part, changes nothing', () => {
    const driver = new ContentDriver();
    driver.putPart(content, 0, 400);
    expect(driver.putPart(content, 0, 400).fields).toEqual({ storedBytes: 400, complete: false });
    expect(driver.putPart(content, 100, 600).fields).toEqual({ storedBytes: 400, complete: false });
    driver.putPart(content, 400, 1000);
    const records = driver.core.endOffset;
    expect(driver.putPart(content, 0, 400).fields).toEqual({ storedBytes: 1000, complete: true });
    expect(driver.core.endOffset).toBe(records);
    expect(driver.readAll(ref)).toEqual(content);
  });

  test('tells with an empty chunk how far it is', () => {
    const driver = new ContentDriver();
    expect(driver.putPart(content, 0, 0).fields).toEqual({ storedBytes: 0, complete: false });
    driver.putPart(content, 0, 400);
    expect(driver.putPart(content, 400, 400).fields).toEqual({ storedBytes: 400, complete: false });
    expect(driver.core.endOffset).toBe(1);
  });

  test('with a gap is refused and told where it stands', () => {
    const driver = new ContentDriver();
    driver.putPart(content, 0, 400);
    const refused = driver.putPart(content, 500, 1000);
    expect(refused.name).toBe('BAD_REQUEST');
    expect(textOf(refused)).toContain('storedBytes is 400');
  });

  test('can be gone on with by another session', () => {
    const driver = new ContentDriver();
    driver.putPart(content, 0, 400, 1);
    expect(driver.putPart(content, 400, 1000, 2).fields).toMatchObject({ complete: true });
  });

  test('whose bytes have another hash is dropped, and can begin anew', () => {
    const driver = new ContentDriver();
    driver.putPart(content, 0, 400);
    const wrong = contentOf(2, 600);
    expect(driver.put({ ...ref, offset: 400, chunk: wrong }).name).toBe('BAD_BLOB');
    expect(driver.core.kinds()).toEqual(['blobChunk', 'blobDropped']);
    expect(driver.blobs.store.count).toBe(0);
    expect(driver.put({ ...ref, offset: 0, chunk: contentOf(3, 1000) }).name).toBe('BAD_BLOB');
    expect(driver.core.kinds()).toEqual(['blobChunk', 'blobDropped']);
    expect(driver.putAll(content, 300).fields).toMatchObject({ complete: true });
    expect(driver.readAll(ref)).toEqual(content);
  });

  test('with more bytes than announced, or announced twice, changes nothing', () => {
    const driver = new ContentDriver();
    driver.putPart(content, 0, 400);
    expect(driver.put({ ...ref, offset: 400, chunk: contentOf(1, 601) }).name).toBe('BAD_BLOB');
    expect(driver.put({ ...ref, totalBytes: 2000, offset: 400, chunk: content }).name).toBe(
      'BAD_BLOB',
    );
    expect(driver.putPart(content, 400, 1000).fields).toMatchObject({ complete: true });
    expect(driver.put({ ...ref, totalBytes: 2000, offset: 0, chunk: content }).name).toBe(
      'BAD_BLOB',
    );
  });

  const chunk = new Uint8Array(1);
  test.each([
    ['a hash of 31 bytes', { ...ref, sha256: new Uint8Array(31), offset: 0, chunk }],
    ['no bytes', { ...ref, totalBytes: 0, offset: 0, chunk: new Uint8Array(0) }],
    ['too many bytes', { ...ref, totalBytes: limits.blobBytesMax + 1, offset: 0, chunk }],
    [
      'too large a chunk',
      {
        ...ref,
        totalBytes: limits.blobBytesMax,
        offset: 0,
        chunk: new Uint8Array(limits.blobChunkBytesMax + 1),
      },
    ],
  ])('with %s is refused', (_, fields) => {
    const driver = new ContentDriver();
    expect(driver.put(fields).name).toBe('BAD_REQUEST');
    expect(driver.core.endOffset).toBe(0);
  });

  test('has at most 4096 chunks', () => {
    const driver = new ContentDriver();
    const long = contentOf(4, 5000);
    for (let at = 0; at < 4096; at++) driver.putPart(long, at, at + 1);
    expect(driver.putPart(long, 4096, 4097).name).toBe('BAD_REQUEST');
  });

  test('of another makes room above 1024: of the session with the most, the one that rests longest', () => {
    const driver = new ContentDriver();
    const begin = (seed: number, session: number) =>
      driver.put({ sha256: callOf(seed), totalBytes: 9, offset: 0, chunk }, session);
    const stored = (seed: number): number =>
      driver.put({ sha256: callOf(seed), totalBytes: 9, offset: 0, chunk: new Uint8Array(0) })
        .fields['storedBytes'] as number;
    expect(begin(5000, 200).name).toBe('BlobPutOk');
    for (let seed = 0; seed < 1023; seed++) begin(seed, 1 + Math.floor(seed / 64));
    // The oldest of the first session goes on, so it is not the one that rests longest.
    driver.put({ sha256: callOf(0), totalBytes: 9, offset: 1, chunk }, 1);
    expect(begin(6000, 201).name).toBe('BlobPutOk');
    expect([stored(5000), stored(0), stored(1), stored(6000)]).toEqual([1, 2, 0, 1]);
    expect(driver.blobs.uploads.count).toBe(1024);
    expect(driver.core.kinds().filter((kind) => kind === 'blobDropped')).toHaveLength(1);
  });

  test('ends with the goodbye of its session', () => {
    const driver = new ContentDriver();
    for (let seed = 0; seed < 64; seed++)
      driver.put({ sha256: callOf(seed), totalBytes: 9, offset: 0, chunk }, 1);
    driver.put({ sha256: callOf(100), totalBytes: 9, offset: 0, chunk }, 2);
    dropUploadsOf(driver.core, driver.blobs, idOf(1));
    expect(driver.blobs.uploads.count).toBe(1);
    expect(driver.blobs.store.bytes).toBe(9);
  });

  test('is one of at most 64 of its session', () => {
    const driver = new ContentDriver();
    const begin = (seed: number, session: number) =>
      driver.put({ sha256: callOf(seed), totalBytes: 9, offset: 0, chunk }, session);
    for (let seed = 0; seed < 64; seed++) expect(begin(seed, 1).name).toBe('BlobPutOk');
    expect(begin(64, 1).name).toBe('QUEUE_FULL');
    for (let seed = 64; seed < 1024; seed++) begin(seed, 1 + Math.floor(seed / 64));
    expect(driver.blobs.uploads.count).toBe(1024);
    driver.tick();
    driver.tick(hourMs);
    expect(driver.blobs.uploads.count).toBe(24);
    driver.tick();
    expect(driver.blobs.uploads.count).toBe(0);
    expect(begin(2000, 1).name).toBe('BlobPutOk');
  });

  test('counts with all its bytes against the broker’s limit from its first chunk on', () => {
    const driver = new ContentDriver(undefined, 1500);
    driver.putPart(content, 0, 400);
    expect(driver.blobs.store.bytes).toBe(1000);
    expect(driver.putAll(contentOf(2, 501)).name).toBe('QUEUE_FULL');
    expect(driver.putAll(contentOf(2, 500)).name).toBe('BlobPutOk');
    expect(driver.putPart(content, 400, 1000).name).toBe('BlobPutOk');
  });

  test('is dropped an hour after its last progress', () => {
    const driver = new ContentDriver();
    driver.putPart(content, 0, 400);
    driver.tick();
    driver.tick(hourMs - 1);
    driver.putPart(content, 400, 500);
    driver.tick(1);
    driver.tick(hourMs - 1);
    expect(driver.blobs.store.count).toBe(1);
    driver.tick(1);
    expect(driver.blobs.store.count).toBe(0);
    expect(driver.blobs.uploads.count).toBe(0);
    expect(driver.putPart(content, 500, 1000).name).toBe('BAD_REQUEST');
  });

  test('that goes on holds up no other that does not', () => {
    const driver = new ContentDriver();
    const other = contentOf(2, 1000);
    driver.putPart(content, 0, 400);
    driver.putPart(other, 0, 400);
    driver.tick();
    driver.putPart(content, 400, 500);
    driver.tick(1);
    driver.tick(hourMs - 1);
    expect(driver.blobs.store.find(refOf(other).sha256)).toBeUndefined();
    expect(driver.blobs.store.count).toBe(1);
  });

  test('does not survive a restart, and begins anew', () => {
    const driver = new ContentDriver();
    driver.putPart(content, 0, 400);
    const next = new ContentDriver(driver.core);
    driver.core.replayInto(next.apply);
    dropCutUploads(next.core, next.blobs.store);
    expect(next.core.kinds()).toEqual(['blobChunk', 'blobDropped']);
    expect(next.putPart(content, 0, 0).fields).toEqual({ storedBytes: 0, complete: false });
    expect(next.putAll(content).fields).toMatchObject({ complete: true });
  });
});

describe('a stored blob', () => {
  const large = contentOf(5, 3 * limits.blobChunkBytesMax + 777);
  const largeRef = refOf(large);

  test.each([limits.blobChunkBytesMax, 100_000, 300_001, 10_007])(
    'is read whole in pieces of any size, here %i',
    (bytesMax) => {
      const driver = new ContentDriver();
      driver.putAll(large, 100_003);
      expect(driver.readAll(largeRef, bytesMax)).toEqual(large);
    },
  );

  test('is read with one record where the pieces fit its chunks', () => {
    const driver = new ContentDriver();
    driver.putAll(large);
    driver.readAll(largeRef);
    expect(driver.core.fetches).toEqual([[1], [2], [3], [4]]);
  });

  test('of tiny chunks is read with few records at a time', () => {
    const driver = new ContentDriver();
    driver.putAll(content, 7);
    expect(driver.readAll(ref)).toEqual(content);
    expect(Math.max(...driver.core.fetches.map((offsets) => offsets.length))).toBe(16);
  });

  test('ends where it ends', () => {
    const driver = new ContentDriver();
    driver.putAll(content);
    const { fields } = driver.get(ref, 1000);
    expect(fields).toEqual({ totalBytes: 1000, offset: 1000, chunk: new Uint8Array(0) });
    expect((driver.get(ref, 990, 100).fields as Message<'BlobData'>).chunk).toHaveLength(10);
    expect(driver.get(ref, 1001).name).toBe('BAD_REQUEST');
    expect(driver.get({ ...ref, sha256: new Uint8Array(3) }).name).toBe('BAD_REQUEST');
  });

  test('goes an hour after nothing refers to it any more', () => {
    const driver = new ContentDriver();
    const { store } = driver.blobs;
    driver.putAll(content);
    store.addRef(ref.sha256);
    store.addRef(ref.sha256);
    driver.tick();
    driver.tick(2 * hourMs);
    store.dropRef(ref.sha256);
    driver.tick(2 * hourMs);
    store.dropRef(ref.sha256);
    expect(() => store.dropRef(ref.sha256)).toThrow(/nothing refers/);
    expect(blobsDueAtMs(driver.blobs)).toBe(0);
    driver.tick();
    expect(blobsDueAtMs(driver.blobs)).toBe(driver.nowMs + hourMs);
    driver.tick(hourMs - 1);
    expect(store.isStored(ref)).toBe(true);
    driver.tick(1);
    expect(store.isStored(ref)).toBe(false);
    expect(store.bytes).toBe(0);
    expect(driver.core.kinds().at(-1)).toBe('blobDropped');
    expect(blobsDueAtMs(driver.blobs)).toBeNull();
  });

  test('that is put again in the meantime has a whole hour again', () => {
    const driver = new ContentDriver();
    driver.putAll(content);
    driver.tick();
    driver.tick(hourMs - 1);
    expect(driver.putAll(content).fields).toMatchObject({ complete: true });
    driver.tick(1);
    driver.tick(hourMs - 1);
    expect(driver.blobs.store.isStored(ref)).toBe(true);
    driver.tick(1);
    expect(driver.blobs.store.isStored(ref)).toBe(false);
  });

  test('goes with at most as many others as one event may touch', () => {
    const driver = new ContentDriver();
    for (let seed = 0; seed < 25; seed++) driver.putAll(contentOf(seed, 10));
    driver.tick();
    driver.tick(hourMs, 10);
    expect(driver.blobs.store.count).toBe(15);
    driver.tick(0, 10);
    driver.tick(0, 10);
    expect(driver.blobs.store.count).toBe(0);
  });
});

describe('compaction', () => {
  /** Moves everything up to `upTo`, says the rest again and drops what is old. */
  function compact(driver: ContentDriver, upTo: number): void {
    const { core, blobs } = driver;
    for (;;) {
      const [offset] = blobs.store.logOrder.oldestUpTo(upTo, 1);
      if (offset === undefined) break;
      driver.move(offset);
    }
    for (const record of blobs.store.rewriteRecords()) core.commit(record);
    core.dropBefore(upTo + 1);
  }

  function restarted(driver: ContentDriver, summaries = false): ContentDriver {
    const next = new ContentDriver(driver.core);
    if (summaries) driver.core.replaySummariesInto(next.apply, 2);
    else driver.core.replayInto(next.apply);
    dropCutUploads(next.core, next.blobs.store);
    return next;
  }

  test.each([1, 2, 3, 4, 5])('up to record %i keeps what is stored', (upTo) => {
    const driver = new ContentDriver();
    driver.putAll(content, 300);
    compact(driver, upTo);
    expect(driver.readAll(ref)).toEqual(content);
    const next = restarted(driver);
    expect(next.readAll(ref)).toEqual(content);
    expect(next.blobs.store.logOrder.oldestUpTo(Infinity, 10)).toEqual(
      driver.blobs.store.logOrder.oldestUpTo(Infinity, 10),
    );
    expect(next.blobs.store.bytes).toBe(1000);
  });

  test('of an upload that goes on lets it go on', () => {
    const driver = new ContentDriver();
    driver.putPart(content, 0, 300);
    driver.putPart(content, 300, 600);
    compact(driver, 1);
    expect(driver.putPart(content, 600, 1000).fields).toMatchObject({ complete: true });
    expect(restarted(driver).readAll(ref)).toEqual(content);
  });

  test('lists the oldest chunks in the order of the log', () => {
    const driver = new ContentDriver();
    driver.putAll(content, 400);
    driver.putAll(contentOf(2, 10));
    expect(driver.blobs.store.logOrder.oldestUpTo(Infinity, 10)).toEqual([1, 2, 3, 5]);
    expect(driver.blobs.store.logOrder.oldestUpTo(2, 10)).toEqual([1, 2]);
    expect(driver.blobs.store.logOrder.oldestUpTo(Infinity, 3)).toEqual([1, 2, 3]);
  });

  test('moves a chunk once, however often its old record is read', () => {
    const driver = new ContentDriver();
    driver.putAll(content);
    driver.move(1);
    driver.move(1);
    expect(driver.core.kinds()).toEqual(['blobChunk', 'blobStored', 'blobChunk']);
  });

  test('does not bring back what was dropped while its record was read', () => {
    const driver = new ContentDriver();
    driver.putAll(content);
    driver.tick();
    driver.tick(hourMs);
    driver.move(1);
    expect(driver.core.kinds()).toEqual(['blobChunk', 'blobStored', 'blobDropped']);
  });

  test('and a start from summaries, which leave the bytes out, know the same blobs', () => {
    const driver = new ContentDriver();
    const large = contentOf(8, 600_000);
    driver.putAll(large);
    const next = restarted(driver, true);
    expect(next.readAll(refOf(large))).toEqual(large);
  });

  test.each([
    ['the first', 1],
    ['one in the middle', 2],
    ['the last', 4],
  ])('that lost a chunk, %s, is noticed at the next start', (_, lost) => {
    const driver = new ContentDriver();
    driver.putAll(contentOf(8, 3 * limits.blobChunkBytesMax + 1));
    driver.core.log.delete(lost);
    expect(() => restarted(driver)).toThrow(/lacks bytes/);
  });
});
