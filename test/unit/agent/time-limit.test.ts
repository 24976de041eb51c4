/** Code that never ends by itself is interrupted; all other code notices nothing. */

import { expect, test } from 'vitest';
import { inputChecker } from '../../../core/agent/index.ts';
import { BlockedError, withTimeLimit } from '../../../core/agent/schema/time-limit.ts';
import { loadProbe, manifest } from './agent-folder.ts';

const forEver = (): never => {
  for (;;);
};

test('a result, a promise and an error come through as they are', async () => {
  const value = { a: 1 };
  expect(withTimeLimit(() => value, 1000)).toBe(value);
  expect(withTimeLimit(() => withTimeLimit(() => 'nested', 1000), 1000)).toBe('nested');
  await expect(withTimeLimit(() => Promise.resolve(7), 1000)).resolves.toBe(7);
  const error = new TypeError('mine');
  expect(() =>
    withTimeLimit(() => {
      throw error;
    }, 1000),
  ).toThrow(error);
});

test('a loop and a pattern that backtracks are interrupted, and the next call works', () => {
  expect(() => withTimeLimit(forEver, 20)).toThrow(BlockedError);
  expect(() => withTimeLimit(() => /^(a+)+$/u.test(`${'a'.repeat(50)}!`), 20)).toThrow(
    'computes for more than 20 ms',
  );
  expect(withTimeLimit(() => 1, 20)).toBe(1);
});

test('time in which the machine gave no processor is not held against it', () => {
  const never = new Int32Array(new SharedArrayBuffer(4));
  let calls = 0;
  const paused = (): number => {
    calls++;
    if (calls < 3) Atomics.wait(never, 0, 0, 60);
    return calls;
  };
  expect(withTimeLimit(paused, 20)).toBeGreaterThanOrEqual(3);
});

test('an input whose check does not end is a problem of the input, not the end of the process', async () => {
  const schema = '{ type: object, properties: { v: { type: string, pattern: "^(a+)+$" } } }';
  const checkInput = await inputChecker(await loadProbe(manifest(`input: { schema: ${schema} }`)));
  expect(checkInput({ v: 'aaa' })).toMatchObject({ ok: true });
  const result = checkInput({ v: `${'a'.repeat(50)}!` });
  expect(result.ok ? [] : result.problems).toEqual([
    { property: '', message: expect.stringContaining('without a pause') },
  ]);
});
