/** The inbox: one batch for each turn of the loop, and a bound on what the core has not taken. */

import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { NetEvent } from '../../../core/broker/events.ts';
import { createInbox, type Inbox } from '../../../core/broker/net/inbox.ts';

function closed(connection: number): NetEvent {
  return { type: 'closed', connection };
}

interface Watched {
  readonly inbox: Inbox;
  readonly batches: { events: NetEvent[]; bytes: number }[];
  readonly congestions: boolean[];
}

function watchedInbox(limits: { inboxBytesMax: number; batchBytesMax: number }): Watched {
  const batches: Watched['batches'] = [];
  const congestions: boolean[] = [];
  const inbox: Inbox = createInbox({
    limits,
    post: (events, bytes) => batches.push({ events, bytes }),
    onCongestion: () => congestions.push(inbox.congested),
  });
  return { inbox, batches, congestions };
}

describe('the inbox', () => {
  it('posts all that one turn brought as one batch, in order', async () => {
    const { inbox, batches } = watchedInbox({ inboxBytesMax: 1e6, batchBytesMax: 1e6 });
    for (let connection = 1; connection <= 3; connection++) inbox.add(closed(connection), 10);
    expect(batches).toEqual([]);
    await setImmediate();
    expect(batches.map(({ events }) => events)).toEqual([[closed(1), closed(2), closed(3)]]);
    inbox.add(closed(4), 10);
    await setImmediate();
    expect(batches[1]?.events).toEqual([closed(4)]);
  });

  it('posts a large batch without waiting, and no empty one after it', async () => {
    const { inbox, batches } = watchedInbox({ inboxBytesMax: 1e6, batchBytesMax: 1000 });
    inbox.add(closed(1), 600);
    inbox.add(closed(2), 600);
    expect(batches).toHaveLength(1);
    await setImmediate();
    expect(batches).toHaveLength(1);
  });

  it('is congested while the core is behind, and no more once half of it was taken', async () => {
    const { inbox, batches, congestions } = watchedInbox({
      inboxBytesMax: 10_000,
      batchBytesMax: 1,
    });
    for (let connection = 1; connection <= 9; connection++) inbox.add(closed(connection), 1000);
    expect(congestions).toEqual([true]);
    const [first, ...others] = batches;
    inbox.taken(first?.bytes ?? 0);
    expect(inbox.congested).toBe(true);
    for (const { bytes } of others) inbox.taken(bytes);
    expect(congestions).toEqual([true, false]);
  });

  it('counts requests that are almost empty, so that many of them congest it too', () => {
    const { inbox } = watchedInbox({ inboxBytesMax: 100_000, batchBytesMax: 1 });
    for (let count = 0; count < 1000; count++) inbox.add(closed(1), 12);
    expect(inbox.congested).toBe(true);
  });
});
