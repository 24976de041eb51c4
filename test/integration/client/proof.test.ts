/** What a client sends over TCP before the other side proved that it has the token: nothing of value. */

import net from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Client } from '../../../core/client/index.ts';
import { frameHeaderBytes, nonceBytes, preambleBytes } from '../../../core/protocol/index.ts';
import {
  type Answer,
  codeOf,
  type FakeBroker,
  type FakeBrokerOptions,
  ok,
  proofOf,
  startFakeBroker,
} from '../../support/servers/fake-broker.ts';

const token = new TextEncoder().encode('t'.repeat(64));
const another = new TextEncoder().encode('u'.repeat(64));
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function fake(options: FakeBrokerOptions): Promise<FakeBroker> {
  const broker = await startFakeBroker(options);
  ends.push(() => broker.close());
  return broker;
}

function clientOf(port: number, key = token): Client {
  const endpoint = { host: '127.0.0.1', port, token: key };
  const client = new Client({
    resolve: () => Promise.resolve(endpoint),
    clientName: 'secret name',
    requestDeadlineMs: 30_000,
  });
  ends.push(() => client.close());
  return client;
}

test('a broker that proves its token is told Hello, with a proof and without the token', async () => {
  const broker = await fake({ tcp: { token } });
  await clientOf(broker.port).request('Ping', {});
  expect(broker.received.map(({ name }) => name)).toEqual(['Ping']);
  const [hello] = broker.hellos;
  expect(hello?.proof).toHaveLength(32);
  expect(Buffer.from(hello?.proof ?? []).includes(Buffer.from(token))).toBe(false);
});

const wrongAnswers: readonly [string, () => Answer, string][] = [
  [
    'proves another token',
    () => ({ name: 'Proof', fields: proofOf(another, new Uint8Array(nonceBytes)) }),
    'UNAUTHORIZED',
  ],
  [
    'repeats a proof for another nonce',
    () => ({ name: 'Proof', fields: proofOf(token, new Uint8Array(nonceBytes)) }),
    'UNAUTHORIZED',
  ],
  [
    'proves nothing',
    () => ({
      name: 'Proof',
      fields: { ...proofOf(token, new Uint8Array(nonceBytes)), proof: new Uint8Array(0) },
    }),
    'UNAUTHORIZED',
  ],
  ['skips its proof', () => ok, 'BAD_FRAME'],
];

test.each(wrongAnswers)(
  'whoever has the port and %s gets a nonce and no more',
  async (_, answerProve, code) => {
    const broker = await fake({ tcp: { answerProve } });
    const client = clientOf(broker.port);
    expect(await codeOf(client.request('Ping', {}))).toBe(code);
    expect(broker.received.map(({ name }) => name)).toEqual(['Prove']);
    expect(broker.hellos).toEqual([]);
  },
);

test('a program that only listens reads neither token, name, session nor request', async () => {
  const heard: Buffer[] = [];
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      heard.push(chunk);
      socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as net.AddressInfo;
  const client = clientOf(port);
  const asked = client.request('Purge', { queue: 'secret-queue' }, { deadlineMs: 500 });
  expect(await codeOf(asked)).toBe('UNREACHABLE');
  const handshakeBytes = preambleBytes + frameHeaderBytes + 4 + nonceBytes;
  expect(heard.every(({ length }) => length <= handshakeBytes)).toBe(true);
  expect(heard.length).toBeGreaterThan(0);
  expect(Buffer.concat(heard).includes('secret')).toBe(false);
});

test('a broker that says Hello as another one than it proved to be is left', async () => {
  const broker = await fake({ tcp: { token }, hello: { broker: '1'.repeat(25) + '0' } });
  expect(await codeOf(clientOf(broker.port).request('Ping', {}))).toBe('BAD_FRAME');
  expect(broker.received).toEqual([]);
});
