/** How many I/O threads a broker has. */

import { expect, it } from 'vitest';
import { ioThreadsDefault, withDefaults } from '../../../../core/broker/options.ts';

const options = { dir: '/nowhere', unix: true, tcp: null, idleExitMs: null };

it('is what the options say', () => {
  expect(withDefaults({ ...options, ioThreads: 1 }).ioThreads).toBe(1);
  expect(withDefaults({ ...options, ioThreads: 64 }).ioThreads).toBe(64);
  expect(withDefaults(options).ioThreads).toBe(ioThreadsDefault());
});

it('is one on small machines, and never more than the one core thread can feed', () => {
  const counts = [1, 2, 3, 4, 8, 128].map((cores) => ioThreadsDefault(cores));
  expect(counts).toEqual([1, 1, 1, 2, 2, 2]);
});

it.each([0, -1, 1.5, 65, Number.NaN])('must not be %s', (ioThreads) => {
  expect(() => withDefaults({ ...options, ioThreads })).toThrow(/whole number from 1 to 64/);
});
