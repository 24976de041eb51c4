/** Joining what is asked for in one turn into few frames. */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Batcher, batchLimits } from '../../../core/client/batcher.ts';
import { limits } from '../../../core/protocol/index.ts';
import { codeOf } from '../../support/servers/fake-broker.ts';

/** A batcher of texts that answers each with itself, doubled, and keeps the frames. */
function echoing(itemsMax: number, bytesMax: number) {
  const frames: string[][] = [];
  const batcher = new Batcher<string, string>({
    bytesOf: (item) => item.length,
    limits: () => ({ itemsMax, bytesMax }),
    send: (items) => {
      frames.push(items);
      return Promise.resolve(items.map((item) => item + item));
    },
  });
  return { batcher, frames };
}

test('calls of one turn share a frame; the next turn has its own', async () => {
  const { batcher, frames } = echoing(10, 100);
  await Promise.all([batcher.add(['a', 'b']), batcher.add(['c'])]);
  await batcher.add(['d']);
  expect(frames).toEqual([['a', 'b', 'c'], ['d']]);
});

test('every caller gets its own answers in order, and no frame breaks a limit that it can keep', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.string({ maxLength: 12 }), { maxLength: 8 }), { maxLength: 8 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 20 }),
      async (calls, itemsMax, bytesMax) => {
        const { batcher, frames } = echoing(itemsMax, bytesMax);
        const answers = await Promise.all(calls.map((items) => batcher.add(items)));
        expect(answers).toEqual(calls.map((items) => items.map((item) => item + item)));
        expect(frames.flat()).toEqual(calls.flat());
        for (const frame of frames) {
          const bytes = frame.reduce((sum, item) => sum + item.length, 0);
          expect(frame.length).toBeLessThanOrEqual(itemsMax);
          if (frame.length > 1) expect(bytes).toBeLessThanOrEqual(bytesMax);
        }
      },
    ),
  );
});

test('a frame is filled to what a slow line takes in half a minute, not to what a frame may hold', async () => {
  const hello = { batchItemsMax: 1000, frameBytesMax: limits.frameBytesMax };
  const { bytesMax } = await batchLimits({ openHello: hello } as never);
  expect(bytesMax).toBeLessThanOrEqual(256 * 1024);
});

test('a frame that fails fails the calls with items in it and no other', async () => {
  const batcher = new Batcher<string, string>({
    bytesOf: () => 1,
    limits: () => Promise.resolve({ itemsMax: 2, bytesMax: 10 }),
    send: (items) =>
      items.includes('bad') ? Promise.reject(new Error('refused')) : Promise.resolve(items),
  });
  const calls = [['a'], ['b', 'c'], ['bad', 'd'], ['e']].map((items) => batcher.add(items));
  const outcomes = await Promise.allSettled(calls);
  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'fulfilled',
  ]);
});

test('a batch answered with the wrong number of answers is an error', async () => {
  const batcher = new Batcher<string, string>({
    bytesOf: () => 1,
    limits: () => ({ itemsMax: 2, bytesMax: 10 }),
    send: () => Promise.resolve(['one']),
  });
  expect(await codeOf(batcher.add(['a', 'b']))).toBe('BAD_FRAME');
});

test('when the limits cannot be learned, all calls fail with the reason', async () => {
  const batcher = new Batcher<string, string>({
    bytesOf: () => 1,
    limits: () => Promise.reject(new Error('nobody answers')),
    send: (items) => Promise.resolve(items),
  });
  const outcomes = await Promise.allSettled([batcher.add(['a']), batcher.add(['b'])]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});
