/**
 * Messages on their way to connections: encoded in the main thread, so that only bytes pass between
 * threads, and written by the I/O thread.
 */

import {
  AiqError,
  encodeFrame,
  errorCodes,
  type MessageName,
  Writer,
} from '../../protocol/index.ts';
import type { ConnectionId, Outgoing } from '../events.ts';
import type { Connection } from './connection.ts';
import { noCounts, type SentCounts, sumOf } from './send-buffer.ts';

/** Bytes of frames in one part; small, so that sent bytes are reported soon. */
const writeBytes = 64 * 1024;

/** Frames for one connection. */
interface Part {
  readonly connection: ConnectionId;
  /** Where they end in the bytes of all parts. */
  end: number;
  counts: SentCounts;
  /** The messages in it, and the waits registered by now. */
  readonly sent: { readonly name: MessageName; readonly correlationId: number }[];
  /** The connection ends after them. */
  isLast: boolean;
}

/** Parts for the connections of one thread, one after the other in one buffer. */
export interface Encoded {
  readonly parts: readonly Part[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export function encodeMessages(messages: readonly Outgoing[]): Encoded {
  const writer = new Writer(messages.reduce((sum, { bytes = 0 }) => sum + bytes, writeBytes / 64));
  const parts: Part[] = [];
  for (const [connection, those] of Map.groupBy(messages, (message) => message.connection)) {
    let part: Part | null = null;
    for (const message of those) {
      const { name, correlationId } = message;
      if (part === null || part.isLast || writer.length - startOf(parts) >= writeBytes) {
        part = { connection, end: 0, counts: noCounts, sent: [], isLast: false };
        parts.push(part);
      }
      part.sent.push({ name, correlationId });
      if (name !== 'Wait') {
        const sent = appendMessage(writer, message);
        part.isLast = message.thenClose === true || sent === 'lost';
        part.counts = sumOf(part.counts, countsOf(message));
      }
      part.end = writer.length;
    }
  }
  return { parts, bytes: writer.written() };
}

/** Where the last of the parts begins. */
function startOf(parts: readonly Part[]): number {
  return parts.at(-2)?.end ?? 0;
}

/** Writes the parts; those for closed connections are dropped. */
export function sendEncoded(
  { parts, bytes }: Encoded,
  connectionOf: (id: ConnectionId) => Connection | undefined,
): void {
  const answered = new Set<Connection>();
  let start = 0;
  for (const { connection: id, end, counts, sent, isLast } of parts) {
    const frames = bytes.subarray(start, end);
    start = end;
    const connection = connectionOf(id);
    if (connection === undefined) continue;
    answered.add(connection);
    for (const { name, correlationId } of sent) connection.sending(name, correlationId);
    // A small part is copied, or it would keep the whole buffer until its peer has read it.
    const isMost = 2 * frames.length > bytes.length;
    if (frames.length > 0) connection.write(isMost ? frames : frames.slice(), counts);
    if (isLast) connection.drain();
  }
  for (const connection of answered) connection.updateReading();
}

function countsOf({ name, bytes = 0 }: Outgoing): SentCounts {
  return { bytes, deliveries: name === 'Deliver' ? 1 : 0 };
}

/**
 * Appends the message, or an Error when it cannot be encoded, so that the peer does not wait. If it
 * answers no request (`lost`), the peer would not notice, and the connection must end.
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
