/** What leaves of the core, in which parts, and in whose turn. */

import { expect, test } from 'vitest';
import { Outbox } from '../../../../core/broker/engine/outbox.ts';
import type { Outgoing } from '../../../../core/broker/events.ts';

const large = 256 * 1024;
const free = { isOpen: true };
const full = { isOpen: false };

function openOutbox() {
  const batches: Outgoing[][] = [];
  const closed = new Set<number>();
  const outbox = new Outbox({
    send: (messages) => void batches.push(messages),
    sinkOf: (connection) => (closed.has(connection) ? full : free),
  });
  let id = 0;
  const enqueue = (connection: number, bytes: number, offset = 0): void =>
    outbox.enqueue(offset, { connection, correlationId: ++id, name: 'Ok', fields: {}, bytes });
  const ids = (connection: number): number[] =>
    batches.flat().flatMap((one) => (one.connection === connection ? [one.correlationId] : []));
  return { outbox, batches, closed, enqueue, ids };
}

const bytesOf = (batch: readonly Outgoing[]): number =>
  batch.reduce((sum, { bytes = 0 }) => sum + bytes, 0);

test('much leaves in parts, each connection in its order', () => {
  const { outbox, batches, enqueue, ids } = openOutbox();
  for (let round = 0; round < 5; round++) {
    for (let connection = 1; connection <= 40; connection++) enqueue(connection, large);
  }
  while (outbox.sendDurable(0)) expect(batches.length).toBeLessThanOrEqual(200);
  expect(batches.flat()).toHaveLength(200);
  for (const batch of batches) expect(bytesOf(batch)).toBeLessThanOrEqual(4 * large);
  for (let connection = 1; connection <= 40; connection++) {
    expect(ids(connection)).toEqual(ids(connection).toSorted((a, b) => a - b));
  }
});

test('what is small leaves first, however many large things could, and they all have their turn', () => {
  const { outbox, batches, enqueue, ids } = openOutbox();
  for (let connection = 1; connection <= 100; connection++) enqueue(connection, large);
  expect(outbox.sendDurable(0)).toBe(true);
  for (let go = 1; go <= 20; go++) {
    enqueue(101, 100);
    outbox.sendDurable(0);
    expect(ids(101)).toHaveLength(go);
    expect(bytesOf(batches.at(-1) ?? [])).toBeGreaterThan(large);
  }
});

test('many small things of one connection leave no faster than large ones of another', () => {
  const { outbox, enqueue, ids } = openOutbox();
  for (let count = 0; count < 10_000; count++) enqueue(1, 1_000);
  enqueue(2, large);
  outbox.sendDurable(0);
  expect(ids(2)).toHaveLength(1);
  expect(ids(1).length).toBeLessThan(1_000);
});

test('who is told little waits for no line that is long, of many large or many small things', () => {
  const { outbox, enqueue, ids } = openOutbox();
  for (let connection = 1; connection <= 100; connection++) {
    for (let count = 0; count < 500; count++) enqueue(connection, 1_000);
  }
  for (let go = 1; go <= 60; go++) {
    enqueue(101, 100);
    expect(outbox.sendDurable(0)).toBe(true);
    expect(ids(101)).toHaveLength(go);
  }
  const each = Array.from({ length: 100 }, (_, index) => ids(index + 1).length);
  expect(Math.min(...each)).toBeGreaterThan(Math.max(...each) / 4);
});

test('waits for what is not durable, for what is read, and for a thread that is behind', () => {
  const { outbox, closed, enqueue, ids } = openOutbox();
  enqueue(1, 10, 5);
  const slot = outbox.reserve(0, 2);
  enqueue(2, 10);
  closed.add(3);
  enqueue(3, 10);
  enqueue(3, large);
  expect(outbox.sendDurable(4)).toBe(false);
  expect([ids(1), ids(2), ids(3)]).toEqual([[], [], []]);
  slot.messages = [];
  outbox.sendDurable(5);
  expect([ids(1).length, ids(2).length, ids(3).length]).toEqual([1, 1, 0]);
  closed.clear();
  outbox.sendDurable(5);
  expect(ids(3)).toHaveLength(2);
});

test('at the end all leaves, whoever is behind', () => {
  const { outbox, closed, enqueue, ids } = openOutbox();
  closed.add(1);
  for (let count = 0; count < 20; count++) enqueue(1, large);
  enqueue(1, 1, 9);
  outbox.sendAllDurable(8);
  expect(ids(1)).toHaveLength(20);
});
