/** The inbox: one batch for each turn of the loop. */

import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { NetEvent } from '../../../../core/broker/events.ts';
import { EventBatcher } from '../../../../core/broker/net/event-batcher.ts';
import { netLimitDefaults } from '../../../../core/broker/net/net-limits.ts';

function closed(connection: number): NetEvent {
  return { type: 'closed', connection };
}

function watchedInbox(batchBytesMax: number, sendWindowBytes = 1e6) {
  const batches: NetEvent[][] = [];
  const batcher = new EventBatcher({
    limits: { batchBytesMax, sendWindowBytes },
    post: (events) => void batches.push(events),
  });
  return { batcher, batches };
}

describe('the inbox', () => {
  it('posts all that one turn brought as one batch, in order', async () => {
    const { batcher, batches } = watchedInbox(1e6);
    for (let connection = 1; connection <= 3; connection++) batcher.add(closed(connection), 10);
    expect(batches).toEqual([]);
    await setImmediate();
    expect(batches).toEqual([[closed(1), closed(2), closed(3)]]);
    batcher.add(closed(4), 10);
    await setImmediate();
    expect(batches[1]).toEqual([closed(4)]);
  });

  it('posts a large batch without waiting, and no empty one after it', async () => {
    const { batcher, batches } = watchedInbox(2000);
    batcher.add(closed(1), 600);
    batcher.add(closed(2), 600);
    expect(batches).toHaveLength(1);
    await setImmediate();
    expect(batches).toHaveLength(1);
  });

  it('posts many small events in batches that the core takes in one step each', () => {
    const { batcher, batches } = watchedInbox(netLimitDefaults.batchBytesMax);
    for (let connection = 1; connection <= 10_000; connection++)
      batcher.add(closed(connection), 20);
    expect(Math.max(...batches.map(({ length }) => length))).toBeLessThanOrEqual(256);
  });

  it('is closed while the core has not taken what was posted, and keeps what comes meanwhile', async () => {
    const { batcher, batches } = watchedInbox(2000, 3000);
    expect(batcher.isOpen).toBe(true);
    for (let connection = 1; connection <= 4; connection++) batcher.add(closed(connection), 600);
    expect([batcher.isOpen, batches.length]).toEqual([false, 2]);
    batcher.add(closed(5), 600);
    await setImmediate();
    expect(batches.flat()).toHaveLength(5);
    batcher.taken();
    expect(batcher.isOpen).toBe(false);
    batcher.taken();
    batcher.taken();
    expect(batcher.isOpen).toBe(true);
  });
});
