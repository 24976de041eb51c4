/** How many connections a thread holds, whatever state they are in: each is an open file. */

import type { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { setImmediate as nextRound } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Transport } from '../../../../core/broker/events.ts';
import { createConnectionTable } from '../../../../core/broker/net/connection-table.ts';
import { netLimitDefaults } from '../../../../core/broker/net/net-limits.ts';
import { createConnectionCountCells } from '../../../../core/broker/net/pool/connection-counts.ts';
import { createReceiveBudgetCells } from '../../../../core/broker/net/receive-budget.ts';
import { NoticeLimit } from '../../../../core/broker/notice-limit.ts';
import { encodePreamble } from '../../../../core/protocol/index.ts';
import { frameOf, hello } from './connection-pair.ts';

const limits = { ...netLimitDefaults, connectionsMax: 10, handshakesMax: 4, refusalsMax: 3 };

function openTable() {
  const table = createConnectionTable(
    {
      thread: 0,
      listen: { unix: null, tcp: null, sharePort: false },
      guard: null,
      limits,
      connectionCountCells: createConnectionCountCells(1),
      receiveBudgetCells: createReceiveBudgetCells(1),
      firstConnection: 1,
      connectionStep: 1,
    },
    { add: () => undefined, isOpen: true },
    new NoticeLimit(() => undefined),
  );
  return (transport: Transport) => {
    const [near, far] = duplexPair();
    table.accept(near as Socket, transport);
    return { near, far };
  };
}

test('those who are told that there is no room are few, and keep nobody off the other transport', async () => {
  const accept = openTable();
  const unauthenticated = Array.from({ length: 50 }, () => accept('tcp').near);
  await nextRound();
  const isOpen = ({ destroyed }: { destroyed: boolean }): boolean => !destroyed;
  expect(unauthenticated.filter(isOpen)).toHaveLength(limits.handshakesMax + limits.refusalsMax);
  expect(unauthenticated.filter((near) => isOpen(near) && near.writable)).toHaveLength(
    limits.handshakesMax,
  );
  expect(accept('unix').near.writable).toBe(true);
  for (const near of unauthenticated) near.destroy();
  await nextRound();
  expect(accept('tcp').near.writable).toBe(true);
});

test('clients that are being closed have their places until they are', async () => {
  const accept = openTable();
  const clients = [];
  for (let count = 0; count < limits.connectionsMax; count++) {
    const client = accept('unix');
    clients.push(client);
    client.far.write(Buffer.concat([encodePreamble(), frameOf('Hello', 1, hello)]));
    await nextRound();
    client.far.end();
    await nextRound();
  }
  const closing = clients.filter(({ near }) => !near.writable && !near.destroyed);
  expect(closing).toHaveLength(limits.connectionsMax);
  const refused = accept('unix');
  const told: Uint8Array[] = [];
  refused.far.on('data', (chunk: Uint8Array) => told.push(chunk));
  await nextRound();
  expect(String(Buffer.concat(told))).toContain('the broker holds 10 connections');
  clients[0]!.near.destroy();
  clients[1]!.near.destroy();
  await nextRound();
  expect(accept('unix').near.writable).toBe(true);
});
