/**
 * Random histories of blobs and journals beside a plain model, with restarts, summaries and
 * compaction anywhere: what is stored can be read, what is not needed goes, and a replay ends where
 * live traffic did.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dropCutUploads } from '../../../../core/broker/state-machine/lifecycle/blob-expiry.ts';
import { decodeRecord } from '../../../../core/broker/state-machine/records/records.ts';
import type { Value } from '../../../../core/protocol/index.ts';
import { ContentDriver, contentOf, idOf, inline, refOf } from './content-driver.ts';

const contents = [0, 1, 2, 3].map((seed) => contentOf(seed, 40 + seed));
const jobNumbers = fc.integer({ min: 1, max: 4 });
const callNumbers = fc.integer({ min: 1, max: 3 });
const blobNumbers = fc.nat(contents.length - 1);

const step = fc.oneof(
  fc.record({
    do: fc.constant('put' as const),
    blob: blobNumbers,
    from: fc.constantFrom(0, 10, 20, 30, -1, -1),
    bytes: fc.constantFrom(10, 20, 50),
  }),
  fc.record({
    do: fc.constant('put' as const),
    blob: blobNumbers,
    from: fc.constant(-1),
    bytes: fc.constantFrom(10, 50),
  }),
  fc.record({
    do: fc.constant('journal' as const),
    job: jobNumbers,
    call: callNumbers,
    blob: fc.option(blobNumbers),
    text: fc.constantFrom('x', 'y'),
  }),
  fc.record({ do: fc.constant('endJob' as const), job: jobNumbers }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 1_000_000, 3_600_000) }),
  fc.record({ do: fc.constant('restart' as const), summary: fc.boolean() }),
  fc.record({
    do: fc.constant('compact' as const),
    percent: fc.integer({ min: 0, max: 100 }),
  }),
);

class History {
  driver = new ContentDriver();
  /** Entries that stand, by job and call. */
  readonly entries: Map<string, Value> = new Map();
  readonly over: Set<number> = new Set();

  constructor() {
    for (const number of [1, 2, 3, 4]) this.driver.job(number);
  }

  play(what: typeof step extends fc.Arbitrary<infer T> ? T : never): void {
    switch (what.do) {
      case 'put':
        this.#put(what.blob, what.from, what.bytes);
        break;
      case 'journal':
        this.#journal(what.job, what.call, this.#valueOf(what.blob, what.text));
        break;
      case 'endJob':
        this.over.add(what.job);
        this.driver.endJob(what.job);
        break;
      case 'wait':
        this.driver.tick(what.ms);
        break;
      case 'restart':
        this.#restart(what.summary);
        break;
      case 'compact':
        this.#compact(what.percent);
        break;
    }
    this.driver.tick();
    this.#check();
  }

  /** A chunk from a place, or (-1) the one that is next. */
  #put(number: number, from: number, bytes: number): void {
    const content = contents[number] as Uint8Array;
    const entry = this.driver.blobs.store.find(refOf(content).sha256);
    const at = from < 0 ? (entry?.endBytes ?? 0) : from;
    const answered = this.driver.putPart(content, Math.min(at, content.length), at + bytes);
    expect(answered.name).toBe(at <= (entry?.endBytes ?? 0) ? 'BlobPutOk' : 'BAD_REQUEST');
  }

  #valueOf(number: number | null, text: string): Value {
    return number === null
      ? inline(text)
      : { inline: null, blob: refOf(contents[number] as Uint8Array) };
  }

  #journal(number: number, call: number, value: Value): void {
    const key = `${number} ${call}`;
    const { store } = this.driver.blobs;
    const standing = this.entries.get(key);
    const missing = value.blob !== null && !store.isStored(value.blob);
    const { name, fields } = this.driver.journal(number, call, value);
    if (this.over.has(number)) expect(name).toBe('BAD_STATE');
    else if (standing !== undefined) expect(fields).toEqual({ value: standing });
    else if (missing) expect(name).toBe('NO_BLOB');
    else {
      expect(fields).toEqual({ value });
      this.entries.set(key, value);
    }
  }

  #restart(summary: boolean): void {
    const old = this.driver;
    const next = new ContentDriver(old.core);
    next.nowMs = old.nowMs;
    for (const [id, facts] of old.journals.jobs) next.journals.jobs.set(id, facts);
    if (summary) old.core.replaySummariesInto(next.apply, 5);
    else old.core.replayInto(next.apply);
    next.journals.store.afterReplay((id) => old.journals.jobs.get(id)?.state === 'leased');
    // Live, uploads would go on: the state is compared behind the records that drop them.
    const replayed = old.core.endOffset;
    dropCutUploads(next.core, next.blobs.store);
    for (const [offset, bytes] of old.core.log) {
      if (offset > replayed) old.apply(decodeRecord(bytes), offset);
    }
    expect(stateOf(next)).toEqual(stateOf(old));
    this.driver = next;
  }

  #compact(percent: number): void {
    const { core, blobs, journals } = this.driver;
    const upTo = Math.round((core.endOffset * percent) / 100);
    const offsets = [blobs.store, journals.store].flatMap(({ logOrder }) =>
      logOrder.oldestUpTo(upTo, 1000),
    );
    for (const offset of offsets) {
      this.driver.move(offset);
    }
    for (const record of blobs.store.rewriteRecords()) core.commit(record);
    core.dropBefore(upTo + 1);
    this.#restart(percent % 2 === 0);
  }

  /** Every entry stands, every blob that one refers to is there, and all bytes are right. */
  #check(): void {
    for (const [key, value] of this.entries) {
      const [number, call] = key.split(' ').map(Number) as [number, number];
      const expected = this.over.has(number) ? null : value;
      expect(this.driver.entry(number, call).fields).toEqual({ value: expected });
      if (expected?.blob) expect(this.driver.blobs.store.isStored(expected.blob)).toBe(true);
    }
    for (const content of contents) {
      const ref = refOf(content);
      if (this.driver.blobs.store.isStored(ref)) expect(this.driver.readAll(ref)).toEqual(content);
    }
  }
}

function stateOf({ blobs, journals }: ContentDriver): unknown {
  const keys = contents.map((content) => refOf(content).sha256);
  return {
    stored: keys.map((key) => blobs.store.find(key)).map((entry) => entry?.storedAtMs),
    chunks: blobs.store.logOrder.oldestUpTo(Infinity, 1000),
    bytes: blobs.store.bytes,
    unreferenced: keys.map((key) => {
      const entry = blobs.store.find(key);
      return entry !== undefined && blobs.store.unreferenced.has(entry.key);
    }),
    entries: journals.store.logOrder.oldestUpTo(Infinity, 1000),
    sizes: [1, 2, 3, 4].map((number) => [
      journals.store.entryCountOf(idOf(number)),
      journals.store.blobBytesOf(idOf(number)),
    ]),
  };
}

test('random histories of blobs and journals read, keep and replay like the model', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
      const history = new History();
      for (const what of steps) history.play(what);
    }),
    { numRuns: 200 },
  );
});
