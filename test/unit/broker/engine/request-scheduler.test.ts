/** Whose request is next: in the order of each connection, in turn with others, and as answers are read. */

import { expect, test } from 'vitest';
import { RequestScheduler } from '../../../../core/broker/engine/request-scheduler.ts';
import type { NetEvent } from '../../../../core/broker/events.ts';
import { SendQuota } from '../../../../core/broker/state-machine/context/send-quota.ts';
import type { MessageName } from '../../../../core/protocol/index.ts';

/** Each request takes as many milliseconds of work as the test says. */
function turnsOf(connections: number, msEach = 0) {
  const clock = { ms: 0 };
  const unsent = new SendQuota();
  const log = { unwrittenBytes: 0 };
  const turns = new RequestScheduler({
    unsent,
    nowMs: () => clock.ms,
    unwrittenBytes: () => log.unwrittenBytes,
  });
  for (let connection = 1; connection <= connections; connection++) unsent.open(connection);
  const ask = (connection: number, name: MessageName, count = 1): void => {
    for (let id = 1; id <= count; id++) {
      const request = { name, correlationId: id, fields: {} } as never;
      turns.add({ type: 'request', connection, request });
    }
  };
  /** One turn of the core: what it took, in order. */
  const turn = (onEvent: (event: NetEvent) => void = () => undefined): NetEvent[] => {
    const taken: NetEvent[] = [];
    for (const event of turns.take()) {
      taken.push(event);
      clock.ms += msEach;
      onEvent(event);
    }
    turns.endTurn();
    return taken;
  };
  return { turns, unsent, log, ask, turn };
}

function idsOf(events: readonly NetEvent[], connection: number): number[] {
  return events.flatMap((event) =>
    event.type === 'request' && event.connection === connection
      ? [event.request.correlationId]
      : [],
  );
}

test('who asks for a thousand things does not keep the others waiting for more than a slice', () => {
  const { turns, ask, turn } = turnsOf(3, 1);
  ask(1, 'Ping', 1000);
  ask(2, 'Ping', 1);
  ask(3, 'Ping', 2);
  const taken = turn();
  expect(taken.length).toBeLessThan(10);
  expect(idsOf(taken, 2)).toEqual([1]);
  expect(turns.hasMore).toBe(true);
  const all = [...taken];
  while (turns.hasMore) all.push(...turn());
  for (const connection of [1, 2, 3]) {
    const ids = idsOf(all, connection);
    expect(ids).toEqual(ids.map((_, at) => at + 1));
  }
  expect(all).toHaveLength(1003);
});

/** Turns until every connection before this one had its first visit. */
function firstRound({ turn }: Pick<ReturnType<typeof turnsOf>, 'turn'>, last: number): NetEvent[] {
  const all: NetEvent[] = [];
  while (idsOf(all, last).length === 0) all.push(...turn());
  return all;
}

test('who asks little goes first, however many ask without an end', () => {
  const { ask, turn } = turnsOf(101, 0.1);
  for (let connection = 1; connection <= 100; connection++) ask(connection, 'Ping', 1_000);
  firstRound({ turn }, 100);
  for (let time = 0; time < 8; time++) {
    ask(101, 'Ping');
    expect(turn()[0]?.connection).toBe(101);
  }
});

test('who leaves nothing behind goes first again in the same round, whatever one request takes', () => {
  const { ask, turn } = turnsOf(101, 1);
  for (let connection = 1; connection <= 100; connection++) ask(connection, 'Ping', 1_000);
  firstRound({ turn }, 100);
  for (let time = 0; time < 5; time++) {
    ask(101, 'Ping');
    expect(turn()[0]?.connection).toBe(101);
  }
});

test('whoever goes first keeps nobody from a visit in each round', () => {
  const { turns, ask, turn } = turnsOf(101, 1);
  for (let connection = 1; connection <= 100; connection++) ask(connection, 'Ping', 20);
  const all = firstRound({ turn }, 100);
  // It asks again as soon as it was served, and uses up its visit each time.
  for (let requestedLarge = 0; all.length < 1_900; all.push(...turn())) {
    if (idsOf(all, 101).length < requestedLarge) continue;
    ask(101, 'Ping');
    requestedLarge += 1;
  }
  while (turns.hasMore) all.push(...turn());
  for (let connection = 1; connection <= 100; connection++) {
    expect(idsOf(all, connection)).toHaveLength(20);
  }
  expect(idsOf(all, 101).length).toBeLessThanOrEqual(8 * 20 + 1);
});

test('the next request waits for a large answer in the making, those of others do not', () => {
  const { turns, ask, turn } = turnsOf(2);
  ask(1, 'List');
  ask(1, 'Ping');
  ask(2, 'Ping');
  const taken = turn((event) => {
    if (idsOf([event], 1).length > 0) turns.reading(1);
  });
  expect(taken.map(({ connection }) => connection)).toEqual([1, 2]);
  expect(turns.hasMore).toBe(false);
  turns.answered(1);
  expect(turns.hasMore).toBe(true);
  expect(turn()).toHaveLength(1);
});

test('a large answer that was refused at once holds up nothing', () => {
  const { turns, ask, turn } = turnsOf(1);
  ask(1, 'List', 3);
  expect(turn()).toHaveLength(1);
  expect(turns.hasMore).toBe(true);
  expect([turn(), turn()].flat()).toHaveLength(2);
});

test('few large answers are in the making at one time, whoever asks', () => {
  const { turns, ask, turn } = turnsOf(100);
  for (let connection = 1; connection <= 100; connection++) ask(connection, 'List');
  const taken = turn(({ connection }) => turns.reading(connection));
  expect(taken.length).toBeLessThanOrEqual(8);
  expect(turns.hasMore).toBe(false);
  for (const { connection } of taken) turns.answered(connection);
  expect(turns.hasMore).toBe(true);
});

test('nothing large is made for a peer that does not read, and its renewals are still taken', () => {
  const { turns, unsent, ask, turn } = turnsOf(2);
  unsent.add(1, 1.5 * 1024 * 1024);
  ask(1, 'Extend');
  ask(1, 'List');
  ask(2, 'List');
  expect(turn().map(({ connection }) => connection)).toEqual([1, 2]);
  expect(turns.hasMore).toBe(false);
  unsent.remove(1, 1024 * 1024);
  expect(turn()).toHaveLength(1);
});

test('what was asked before the end takes effect, in order; what only tells is left out', () => {
  const { turns, unsent, ask, turn } = turnsOf(1);
  unsent.add(1, 100 * 1024 * 1024);
  ask(1, 'List');
  ask(1, 'Cancel');
  ask(1, 'Inspect');
  expect(turn()).toEqual([]);
  turns.add({ type: 'closed', connection: 1 });
  const names = turn().map((event) => (event.type === 'request' ? event.request.name : event.type));
  expect(names).toEqual(['Cancel', 'closed']);
  expect(turns.hasMore).toBe(false);
});

test('what is heavy for the log waits while it is behind, and nothing that is small does', () => {
  const { turns, log, ask, turn } = turnsOf(3);
  const enqueue = (connection: number, bytes: number): void => {
    const jobs = [{ ok: true as const, bytes: new Uint8Array(bytes), job: {} as never }];
    turns.add({ type: 'enqueue', connection, correlationId: 9, atomic: false, jobs });
  };
  log.unwrittenBytes = 5 * 1024 * 1024;
  enqueue(1, 1_000_000);
  ask(1, 'Ping');
  enqueue(2, 1_000);
  ask(3, 'Ping');
  expect(turn().map(({ connection }) => connection)).toEqual([2, 3]);
  expect(turns.hasMore).toBe(false);
  log.unwrittenBytes = 0;
  expect(turns.hasMore).toBe(true);
  expect(turn().map(({ connection }) => connection)).toEqual([1, 1]);
});

test('jobs that are accepted each by itself are taken in parts, between which others are served', () => {
  const { turns, ask, turn } = turnsOf(2, 2);
  const jobs = (count: number, bytes: number) =>
    Array.from({ length: count }, () => {
      return { ok: true as const, bytes: new Uint8Array(bytes), job: {} as never };
    });
  const enqueue = (count: number, bytes: number, atomic = false): void => {
    turns.add({
      type: 'enqueue',
      connection: 1,
      correlationId: 9,
      atomic,
      jobs: jobs(count, bytes),
    });
  };
  const partsTaken = (): number[] => {
    const parts: number[] = [];
    while (turns.hasMore) {
      const events = turn((event) => {
        if (event.type === 'enqueue') ask(2, 'Ping');
      });
      for (const event of events) if (event.type === 'enqueue') parts.push(event.jobs.length);
    }
    return parts;
  };
  enqueue(4, 1_000_000);
  expect(partsTaken()).toEqual([1, 1, 1, 1]);
  enqueue(1_000, 100);
  expect(partsTaken()).toEqual([250, 250, 250, 250]);
  enqueue(300, 1_000);
  expect(partsTaken().reduce((sum, count) => sum + count)).toBe(300);
  enqueue(4, 1_000_000, true);
  expect(partsTaken()).toEqual([4]);
  enqueue(0, 0);
  expect(partsTaken()).toEqual([0]);
  enqueue(2, 1_000_000);
  const [first] = turn();
  expect(first).toMatchObject({ type: 'enqueue', part: { answers: [], isLast: false } });
});
