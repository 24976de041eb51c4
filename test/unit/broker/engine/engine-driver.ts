/** An engine on a disk in memory with one client, for tests of what joins core and log. */

import { createHash } from 'node:crypto';
import { setImmediate as nextRound } from 'node:timers/promises';
import { afterEach } from 'vitest';
import { BrokerClock } from '../../../../core/broker/broker-clock.ts';
import { Engine } from '../../../../core/broker/engine/engine.ts';
import type { CheckedJob, Left, Outgoing } from '../../../../core/broker/events.ts';
import type { Scheduler } from '../../../../core/broker/log/contract.ts';
import type { CoreEvent } from '../../../../core/broker/state-machine/context/effects.ts';
import { type Message, type MessageName, noUsage } from '../../../../core/protocol/index.ts';
import type { MemoryDisk } from '../../../support/log/memory-disk.ts';
import { checkedJob, idOf, testOptions } from '../state-machine/driver.ts';

const { crc32: _, ...core } = testOptions;
const dir = '/log';
const opened: Engine[] = [];

afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.close().catch(() => undefined);
});

/** The peer takes what is sent. */
function leftAtOnce({ connection, name, bytes = 0 }: Outgoing): Left {
  return { type: 'left', connection, bytes, deliveries: name === 'Deliver' ? 1 : 0, slowestMs: 0 };
}

/** An engine with one client on connection 1, and what it was sent. */
export async function start(
  disk: MemoryDisk,
  options: { scheduler?: Scheduler; segmentBytesMax?: number } = {},
) {
  const sent: Outgoing[] = [];
  const notices: string[] = [];
  const failures: Error[] = [];
  const { engine } = await Engine.open({
    core: { ...core, newHash: () => createHash('sha256'), leaseMs: 3_600_000 },
    dir,
    segmentBytesMax: 16 * 1024,
    disk,
    clock: new BrokerClock({ stepMsMax: 1_000, onNotice: (text) => notices.push(text) }),
    send: (messages) => {
      sent.push(...messages);
      setImmediate(() => engine.handle(messages.map(leftAtOnce)));
    },
    statsAnswer: () => {
      throw new Error('nobody asks here');
    },
    onSearch: () => undefined,
    onShutdown: () => undefined,
    onAccess: () => undefined,
    onDurable: () => undefined,
    onDiskFull: () => undefined,
    onNotice: (text) => notices.push(text),
    onFailure: (error) => failures.push(error),
    ...options,
  });
  opened.push(engine);
  let correlationId = 0;
  const hello = {
    session: idOf(77),
    client: 'test',
    proof: new Uint8Array(0),
    features: 0,
    frameBytesMax: 4 * 1024 * 1024,
  };
  const client = {
    engine,
    sent,
    notices,
    failures,
    request<N extends MessageName>(name: N, fields: Message<N>): number {
      const request = { name, correlationId: ++correlationId, fields } as never;
      engine.handle([{ type: 'request', connection: 1, request }]);
      return correlationId;
    },
    enqueue(wanted: readonly CheckedJob[]): number {
      const event = { type: 'enqueue', connection: 1, atomic: false, jobs: wanted } as const;
      engine.handle([{ ...event, correlationId: ++correlationId } satisfies CoreEvent]);
      return correlationId;
    },
    async answer(id: number): Promise<unknown> {
      return (await found(sent, (message) => message.correlationId === id)).fields;
    },
    async delivered(count: number): Promise<Message<'Deliver'>['items']> {
      const items = () =>
        sent
          .filter(({ name }) => name === 'Deliver')
          .flatMap(({ fields }) => (fields as Message<'Deliver'>).items);
      for (let round = 0; items().length < count && round < 5_000; round++) await nextRound();
      return items();
    },
  };
  engine.handle([
    { type: 'opened', connection: 1, transport: 'unix', correlationId: ++correlationId, hello },
  ]);
  await client.answer(correlationId);
  return client;
}

export async function found(
  sent: readonly Outgoing[],
  is: (message: Outgoing) => boolean,
): Promise<Outgoing> {
  for (let round = 0; round < 5_000; round++) {
    const message = sent.find(is);
    if (message !== undefined) return message;
    await nextRound();
  }
  throw new Error('nothing like that was sent');
}

export function jobs(from: number, count: number, body = '{}'): CheckedJob[] {
  return Array.from({ length: count }, (__, index) => checkedJob({ id: from + index, body }));
}

export function ack(
  token: Message<'Deliver'>['items'][number]['token'],
): Message<'Settle'>['items'][number] {
  const texts = { errorCode: '', errorMessage: '', note: '' };
  const rest = {
    usage: noUsage,
    result: null,
    output: null,
    prompts: null,
    enqueue: [],
    park: null,
  };
  return { token, outcome: 'ack', delayMs: 0, ...texts, ...rest };
}
