/** The inbox: one batch for each turn of the loop. */

import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { NetEvent } from '../../../core/broker/events.ts';
import { createInbox } from '../../../core/broker/net/inbox.ts';

function closed(connection: number): NetEvent {
  return { type: 'closed', connection };
}

function watchedInbox(batchBytesMax: number) {
  const batches: NetEvent[][] = [];
  const inbox = createInbox({
    limits: { batchBytesMax },
    post: (events) => void batches.push(events),
  });
  return { inbox, batches };
}

describe('the inbox', () => {
  it('posts all that one turn brought as one batch, in order', async () => {
    const { inbox, batches } = watchedInbox(1e6);
    for (let connection = 1; connection <= 3; connection++) inbox.add(closed(connection), 10);
    expect(batches).toEqual([]);
    await setImmediate();
    expect(batches).toEqual([[closed(1), closed(2), closed(3)]]);
    inbox.add(closed(4), 10);
    await setImmediate();
    expect(batches[1]).toEqual([closed(4)]);
  });

  it('posts a large batch without waiting, and no empty one after it', async () => {
    const { inbox, batches } = watchedInbox(1000);
    inbox.add(closed(1), 600);
    inbox.add(closed(2), 600);
    expect(batches).toHaveLength(1);
    await setImmediate();
    expect(batches).toHaveLength(1);
  });
});
