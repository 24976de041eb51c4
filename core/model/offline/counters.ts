/** Counts calls in memory that two threads can share. */

const names = ['calls', 'ok', 'failed'] as const;

/** `calls` that were accepted as such; of these, `ok` were answered whole, `failed` were not. */
export type CallCounts = { readonly [name in (typeof names)[number]]: number };

export const countersBytes = names.length * Int32Array.BYTES_PER_ELEMENT;

export interface Counters {
  add(name: keyof CallCounts): void;
  read(): CallCounts;
}

export function createCounters(memory = new SharedArrayBuffer(countersBytes)): Counters {
  const cells = new Int32Array(memory);
  return {
    add: (name) => {
      Atomics.add(cells, names.indexOf(name), 1);
    },
    read: () => {
      const [calls = 0, ok = 0, failed = 0] = names.map((_, index) => Atomics.load(cells, index));
      return { calls, ok, failed };
    },
  };
}
