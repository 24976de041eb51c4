/** A connection on an in-memory stream with a clock of its own, and the other end of the stream. */

import { duplexPair } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { NetEvent } from '../../../../core/broker/events.ts';
import { Connection } from '../../../../core/broker/net/connection.ts';
import { type NetLimits, netLimitDefaults } from '../../../../core/broker/net/net-limits.ts';
import { ReadScheduler } from '../../../../core/broker/net/read-scheduler.ts';
import {
  type AnyMessage,
  decodeFrame,
  encodeFrame,
  encodePreamble,
  errorCodeOf,
  FrameSplitter,
  limits,
  type Message,
  type MessageName,
  preambleBytes,
  Writer,
} from '../../../../core/protocol/index.ts';

export const hello: Message<'Hello'> = {
  session: '0123456789abcdefghjkmnpqr0',
  client: 'test',
  proof: new Uint8Array(0),
  features: 0,
  frameBytesMax: limits.frameBytesMaxMin,
};

export function frameOf<N extends MessageName>(
  name: N,
  id: number,
  fields: Message<N>,
): Uint8Array {
  const writer = new Writer();
  encodeFrame(writer, name, id, fields);
  return writer.written();
}

/** A connection, the other end of its stream, and a clock that only the test moves. */
export function openPair(
  limitsOfTest: Partial<NetLimits> = {},
  readScheduler: ReadScheduler = new ReadScheduler(() => true),
) {
  const [near, far] = duplexPair();
  const host = {
    limits: { ...netLimitDefaults, ...limitsOfTest },
    receiveBudget: {
      bytes: 0,
      shareBytes: 1_000_000,
      add: (bytes: number) => {
        host.receiveBudget.bytes += bytes;
      },
    },
    starved: new Set<Connection>(),
    readScheduler,
    mayExceedShare: () => host.hasRoomForFrame,
    hasRoomForFrame: false,
    nowMs: 0,
    events: [] as NetEvent[],
    states: [] as string[],
    now: () => host.nowMs,
    notices: [] as string[],
    onNotice: (kind: string, text: string) => void host.notices.push(`${kind}: ${text}`),
    onEvent: (event: NetEvent): unknown => host.events.push(event),
    onState: ({ state }: Connection, from: string) => {
      host.states.push(`${from} to ${state}`);
    },
  };
  const connection = new Connection(near, {
    id: 5,
    transport: 'unix',
    from: '',
    guard: null,
    host,
  });
  const chunks: Uint8Array[] = [];
  far.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  far.on('error', () => {});
  const received = (): AnyMessage[] => {
    const splitter = new FrameSplitter(1 << 20);
    splitter.push(Buffer.concat(chunks));
    splitter.takeRaw(preambleBytes);
    const messages: AnyMessage[] = [];
    for (let frame = splitter.next(); frame; frame = splitter.next()) {
      messages.push(decodeFrame(frame));
    }
    return messages;
  };
  const send = async (...parts: Uint8Array[]): Promise<void> => {
    for (const part of parts) far.write(part);
    await setImmediate();
  };
  const errors = (): string[] =>
    received().flatMap(({ name, fields }) => (name === 'Error' ? [errorCodeOf(fields.code)] : []));
  return { connection, near, far, host, received, errors, send };
}

export type Pair = ReturnType<typeof openPair>;

export async function onHandshakeFrame({ send }: Pair): Promise<void> {
  await send(encodePreamble(), frameOf('Hello', 1, hello));
}

export function typesOf({ host }: Pair): string[] {
  return host.events.map(({ type }) => type);
}
