/** Whose records are read next: those of others first who need few, and the long ones in turns. */

import { expect, test } from 'vitest';
import { LogReads } from '../../../../core/broker/engine/log-reads.ts';
import { Problems } from '../../../../core/broker/engine/problems.ts';
import type { Fetch } from '../../../../core/broker/state-machine/context/effects.ts';

const record = new Uint8Array(100);

function openReads(recordOf: (offset: number) => Uint8Array = () => record) {
  let read = 0;
  const turns: (() => void)[] = [];
  const reads = new LogReads({
    read: (offset) => {
      read += 1;
      return recordOf(offset);
    },
    scheduler: { afterThisRound: () => new Promise((resolve) => void turns.push(resolve)) },
    problems: new Problems(
      () => 0,
      () => undefined,
    ),
    statsAnswer: () => {
      throw new Error('nobody asked for stats');
    },
    onNotice: () => undefined,
  });
  const done: number[] = [];
  const ask = (connection: number, records: number, times = 1): void => {
    const fetch: Fetch = {
      offsets: Array.from({ length: records }, (_, index) => index + 1),
      use: () => (times > 1 ? [{ type: 'fetch', fetch: { ...fetch, use: () => [] } }] : []),
    };
    const answer = reads.resolve(connection, fetch);
    void Promise.resolve(answer).then(() => done.push(connection));
  };
  /** One turn of the event loop; how many records were read in it. */
  const turn = async (): Promise<number> => {
    const before = read;
    for (const go of turns.splice(0)) go();
    await new Promise((resolve) => setImmediate(resolve));
    return read - before;
  };
  return { ask, turn, done, count: () => read };
}

test('a few records are read at once, and no turn reads more than its part and one fetch', async () => {
  const { ask, turn, done, count } = openReads();
  ask(1, 2);
  expect(count()).toBe(2);
  for (let connection = 2; connection <= 40; connection++) ask(connection, 100);
  for (let left = 39 * 100; left > 0; ) {
    const read = await turn();
    expect(read).toBeLessThan(256 + 100);
    left -= read;
    if (read === 0) break;
  }
  expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, at) => at + 1));
});

test('who needs a few records waits for nobody who needs many', async () => {
  const { ask, turn, done } = openReads();
  for (let connection = 1; connection <= 40; connection++) ask(connection, 100, 2);
  ask(99, 2);
  await turn();
  expect(done).toContain(99);
  expect(done.length).toBeLessThan(10);
});

test('large records cost as much as many small ones', async () => {
  const large = new Uint8Array(256 * 1024);
  const { ask, turn, done } = openReads((offset) => (offset === 1 ? large : record));
  for (let connection = 1; connection <= 40; connection++) ask(connection, 1, 2);
  await turn();
  expect(done.length).toBeLessThan(20);
});
