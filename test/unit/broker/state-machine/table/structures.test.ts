/** The structures under the job table, each against the simplest thing that does the same. */

import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { JobEntry } from '../../../../../core/broker/state-machine/state/job-entry.ts';
import { IdIndex } from '../../../../../core/broker/state-machine/table/id-index.ts';
import { JobTable, u32Columns } from '../../../../../core/broker/state-machine/table/job-table.ts';
import { RowList } from '../../../../../core/broker/state-machine/table/row-list.ts';
import { SeqIndex } from '../../../../../core/broker/state-machine/table/seq-index.ts';
import { TimeHeap } from '../../../../../core/broker/state-machine/table/time-heap.ts';
import { idToText } from '../../../../../core/protocol/index.ts';

function rowsOf(list: RowList): number[] {
  const rows: number[] = [];
  for (let slot = list.head; slot !== 0; slot = list.after(slot)) rows.push(slot);
  return rows;
}

test('rows in two kinds of lists stand as in two arrays, however they are moved and sorted', () => {
  const commands = fc.array(
    fc.record({
      do: fc.constantFrom('push', 'push', 'remove', 'sort'),
      kind: fc.constantFrom('line', 'log'),
      pick: fc.nat(1000),
    }),
    { maxLength: 80, size: 'max' },
  );
  fc.assert(
    fc.property(commands, (history) => {
      const table = new JobTable();
      const lists = { line: new RowList(table, 'list'), log: new RowList(table, 'log') };
      const models: Record<'line' | 'log', number[]> = { line: [], log: [] };
      const slots = Array.from({ length: 20 }, () => table.allocate());
      for (const { do: what, kind, pick } of history) {
        const model = models[kind];
        const slot = slots[pick % slots.length]!;
        if (what === 'push' && !model.includes(slot)) {
          lists[kind].push(slot);
          model.push(slot);
        } else if (what === 'remove' && model.length > 0) {
          const gone = model.splice(pick % model.length, 1)[0]!;
          lists[kind].remove(gone);
        } else if (what === 'sort') {
          lists[kind].sort((left, right) => left - right);
          model.sort((left, right) => left - right);
        }
        for (const each of ['line', 'log'] as const) {
          expect(rowsOf(lists[each])).toEqual(models[each]);
          expect(lists[each].length).toBe(models[each].length);
        }
      }
    }),
  );
});

/** Ids that share all but a few bits, so that many fall into one shard and many probes meet. */
function idOfNumber(number: number): string {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32((number % 4) * 4, number);
  return idToText(bytes);
}

test('a search for an id looks into the table for that one row alone', () => {
  const table = new JobTable();
  const index = new IdIndex(table);
  const idOf = (number: number) => {
    const words = Uint32Array.from({ length: 4 }, (_, at) =>
      Math.imul(4 * number + at, 0x9e37_79b1),
    );
    return idToText(new Uint8Array(words.buffer));
  };
  for (let number = 1; number <= 20_000; number++) index.add(idOf(number), table.allocate());
  const rows = vi.spyOn(table, 'page');
  for (let number = 1; number <= 20_000; number++) {
    expect(index.find(idOf(number))).toBe(number);
    expect(index.find(idOf(number + 20_000))).toBe(0);
  }
  expect(rows.mock.calls.length).toBeLessThan(20_100);
});

test('ids are found as in a map, through growth and removal from the middle of a run', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ id: fc.nat(3000), add: fc.boolean() }), {
        maxLength: 3000,
        size: 'max',
      }),
      (history) => {
        const table = new JobTable();
        const index = new IdIndex(table);
        const model = new Map<string, number>();
        for (const { id: number, add } of history) {
          const id = idOfNumber(number);
          const known = model.get(id);
          if (add && known === undefined) {
            const slot = table.allocate();
            index.add(id, slot);
            model.set(id, slot);
          } else if (!add && known !== undefined) {
            index.remove(known);
            table.free(known);
            model.delete(id);
          }
          expect(index.find(id)).toBe(model.get(id) ?? 0);
        }
        for (const [id, slot] of model) expect(index.find(id)).toBe(slot);
      },
    ),
    { numRuns: 20 },
  );
});

test('ids are found by any beginning as in a list of texts, also where rows were freed', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 500 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 26 }),
      fc.integer({ min: 1, max: 4 }),
      (numbers, length, modulus) => {
        const table = new JobTable();
        const index = new IdIndex(table);
        const known = new Map<string, number>();
        for (const number of numbers) {
          const slot = table.allocate();
          const id = idOfNumber(number);
          index.add(id, slot);
          new JobEntry(table, slot).seq = number + 1;
          known.set(id, slot);
        }
        for (const [id, slot] of known) {
          if (slot % modulus !== 0) continue;
          index.remove(slot);
          table.free(slot);
          known.delete(id);
        }
        const texts = [...numbers.map(idOfNumber), idOfNumber(999), '0'.repeat(26)];
        for (const text of texts.map((id) => id.slice(0, length))) {
          const begin = [...known].filter(([id]) => id.startsWith(text)).map(([, slot]) => slot);
          expect(new Set(index.withPrefix(text, 1_000))).toEqual(new Set(begin));
        }
      },
    ),
  );
});

test('ids that were chosen to be alike do not make a look by their beginning long', () => {
  const table = new JobTable();
  const index = new IdIndex(table);
  const alike = (number: number): string => {
    const bytes = new Uint8Array(16).fill(7);
    new DataView(bytes.buffer).setUint32(12, number);
    return idToText(bytes);
  };
  for (let number = 0; number < 30_000; number++) {
    const slot = table.allocate();
    index.add(alike(number), slot);
    new JobEntry(table, slot).seq = number + 1;
  }
  expect(index.withPrefix(alike(0).slice(0, 8), 10)).toHaveLength(10);
  // All begin like it in their first 32 bits, none does in all.
  expect(index.withPrefix(`${alike(0).slice(0, 8)}zzzz`, 10)).toBeNull();
  expect(index.find(alike(29_999))).toBeGreaterThan(0);
});

test('a hundred thousand ids are all found, and half of them after the other half is gone', () => {
  const table = new JobTable();
  const index = new IdIndex(table);
  const slots = Array.from({ length: 100_000 }, (_, number) => {
    const slot = table.allocate();
    index.add(idOfNumber(number), slot);
    return slot;
  });
  for (const [number, slot] of slots.entries()) if (number % 2 === 0) index.remove(slot);
  const wrong = slots.filter(
    (slot, number) => index.find(idOfNumber(number)) !== (number % 2 === 0 ? 0 : slot),
  );
  expect(wrong).toEqual([]);
});

describe('acceptance numbers', () => {
  test('are found and walked in both directions as in a sorted array, across gaps', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 30_000 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 30_000 }),
        fc.integer({ min: 1, max: 5_000 }),
        (seqs, from, scansMax) => {
          const index = new SeqIndex();
          for (const seq of seqs) index.add(seq, seq + 7);
          const gone = seqs.filter((_, at) => at % 3 === 0);
          for (const seq of gone) index.remove(seq);
          const there = seqs.filter((seq) => !gone.includes(seq)).toSorted((a, b) => a - b);
          for (const seq of seqs) expect(index.find(seq)).toBe(gone.includes(seq) ? 0 : seq + 7);
          expect(index.highest).toBe(Math.max(0, ...seqs));
          for (const step of [1, -1] as const) {
            const walked: number[] = [];
            for (let at = from; at >= 1 && at <= index.highest; ) {
              const { seq, steps, next } = index.nearest(at, step, scansMax);
              expect(steps).toBeLessThanOrEqual(scansMax);
              if (seq !== 0) walked.push(seq);
              at = next;
            }
            const expected = there.filter((seq) => (step > 0 ? seq >= from : seq <= from));
            const inRange = from <= index.highest ? expected : [];
            expect(walked).toEqual(step > 0 ? inRange : inRange.toReversed());
          }
        },
      ),
    );
  });
});

test('a heap gives what is due in order of time, and nothing that is not', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100), { maxLength: 200 }), fc.nat(100), (times, nowMs) => {
      const heap = new TimeHeap<number>();
      for (const [index, time] of times.entries()) heap.push(time, index);
      expect(heap.earliestMs).toBe(times.length === 0 ? null : Math.min(...times));
      const due: number[] = [];
      for (let item = heap.popDue(nowMs); item !== undefined; item = heap.popDue(nowMs)) {
        due.push(times[item]!);
      }
      const expected = times.filter((time) => time <= nowMs).toSorted((a, b) => a - b);
      expect(due).toEqual(expected);
      expect(heap.length).toBe(times.length - due.length);
    }),
  );
});

describe('the job table', () => {
  test('keeps the rows of several pages apart, field by field', () => {
    const table = new JobTable();
    const count = 20_000;
    for (let number = 1; number <= count; number++) {
      const job = new JobEntry(table, table.allocate());
      job.seq = number;
      job.base = number * 2 ** 20;
      job.last = number * 3;
      job.deliveries = number;
      job.jobBytes = number * 5;
      job.attempts = number % 1000;
      job.returns = number % 999;
      job.state = number % 2 === 0 ? 'ready' : 'parked';
      job.priority = number % 3 === 0 ? 'low' : 'highest';
      job.lastEnd = number % 5 === 0 ? null : 'throttled';
      job.isolated = number % 2 === 0;
      job.bodyInLog = number % 3 === 0;
      job.setDigest(new Uint8Array(16).fill(number % 256));
    }
    for (let number = 1; number <= count; number++) {
      const job = new JobEntry(table, number);
      expect([job.seq, job.base, job.last, job.deliveries, job.jobBytes]).toEqual([
        number,
        number * 2 ** 20,
        number * 3,
        number,
        number * 5,
      ]);
      expect([job.attempts, job.returns, job.state]).toEqual([
        number % 1000,
        number % 999,
        number % 2 === 0 ? 'ready' : 'parked',
      ]);
      expect([job.priority, job.lastEnd, job.isolated, job.bodyInLog]).toEqual([
        number % 3 === 0 ? 'low' : 'highest',
        number % 5 === 0 ? null : 'throttled',
        number % 2 === 0,
        number % 3 === 0,
      ]);
      expect(job.hasDigest(new Uint8Array(16).fill(number % 256))).toBe(true);
      expect(job.hasDigest(new Uint8Array(16).fill((number + 1) % 256))).toBe(false);
    }
  });

  test('gives freed rows out again, empty', () => {
    const table = new JobTable();
    const slots = Array.from({ length: 10 }, () => table.allocate());
    for (const slot of slots) table.setU32(slot, u32Columns.jobBytes, 9);
    table.free(slots[3]!);
    table.free(slots[7]!);
    expect(table.length).toBe(8);
    const again = [table.allocate(), table.allocate()];
    expect(new Set(again)).toEqual(new Set([slots[3], slots[7]]));
    expect(again.map((slot) => table.getU32(slot, u32Columns.jobBytes))).toEqual([0, 0]);
    expect(table.length).toBe(10);
  });
});
