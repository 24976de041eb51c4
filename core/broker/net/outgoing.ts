/** Encodes what the core sends and writes it: one write for each connection and batch. */

import {
  AiqError,
  encodeFrame,
  errorCodes,
  type MessageName,
  Writer,
} from '../../protocol/index.ts';
import type { ConnectionId, Outgoing } from '../events.ts';
import type { Connection } from './connection.ts';
import { type Cargo, noCargo, sumOf } from './outflow.ts';

/** Frames are written once this many bytes are together, so that the core soon hears what left. */
const writeBytes = 64 * 1024;

/** Messages for connections that are gone are dropped: their peers cannot be told anything. */
export function sendMessages(
  messages: readonly Outgoing[],
  connectionOf: (id: ConnectionId) => Connection | undefined,
): void {
  const batches = new Map<Connection, { writer: Writer; cargo: Cargo }>();
  const answered = new Set<Connection>();
  for (const message of messages) {
    const connection = connectionOf(message.connection);
    if (connection === undefined) continue;
    answered.add(connection);
    connection.sent(message.name, message.correlationId);
    if (message.name === 'Wait') continue;
    const { writer, cargo } = batches.get(connection) ?? { writer: new Writer(), cargo: noCargo };
    const sent = appendMessage(writer, message);
    const isLast = message.thenClose === true || sent === 'lost';
    const batch = { writer, cargo: sumOf(cargo, cargoOf(message)) };
    if (isLast || writer.length >= writeBytes) {
      connection.write(writer.written(), batch.cargo);
      batches.delete(connection);
    } else {
      batches.set(connection, batch);
    }
    if (isLast) connection.drain();
  }
  for (const [connection, { writer, cargo }] of batches) connection.write(writer.written(), cargo);
  for (const connection of answered) connection.updateReading();
}

function cargoOf({ name, bytes = 0 }: Outgoing): Cargo {
  return { bytes, deliveries: name === 'Deliver' ? 1 : 0 };
}

/**
 * Appends the message. One that cannot be encoded is answered with an Error instead, so that the
 * peer does not wait; if it answers no request (`lost`), the peer would never know that it missed
 * something, and the connection must end.
 */
function appendMessage<N extends MessageName>(
  writer: Writer,
  { name, correlationId, fields }: Outgoing<N>,
): 'sent' | 'lost' {
  try {
    encodeFrame(writer, name, correlationId, fields);
    return 'sent';
  } catch (error) {
    const code = error instanceof AiqError ? error.code : 'INTERNAL';
    const message = `the broker could not send ${name}: ${(error as Error).message}`;
    encodeFrame(writer, 'Error', correlationId, { code: errorCodes[code].number, message });
    return correlationId === 0 ? 'lost' : 'sent';
  }
}
