/**
 * Turns a frame into an event for the state machine: decodes it, checks limits, and validates each job
 * of an Enqueue. An invalid job or batch fails that request; an invalid frame ends the connection.
 */

import { crc32 } from 'node:zlib';
import {
  AiqError,
  decodeFrame,
  type Frame,
  limits,
  messageNameOf,
  messages,
} from '../../protocol/index.ts';
import { checkJob } from '../check-job.ts';
import type { ConnectionId, NetEvent } from '../events.ts';

/** An event, or an error response after which the connection continues. */
type Received =
  | { readonly type: 'event'; readonly event: NetEvent }
  | { readonly type: 'refused'; readonly error: AiqError };

/** @throws AiqError `BAD_FRAME` for id 0, which marks messages that answer no request */
export function assertCorrelationId({ correlationId }: Frame): void {
  if (correlationId !== 0) return;
  const message =
    'a request has correlation id 0, which is reserved for messages without a request';
  throw new AiqError('BAD_FRAME', message);
}

/**
 * Reads a frame that came after Hello.
 * @throws AiqError `UNKNOWN_OPCODE`, `BAD_FRAME` or `HELLO_EXPECTED`: the connection must end
 */
export function receiveRequest(connection: ConnectionId, frame: Frame): Received {
  const name = messageNameOf(frame.opcode);
  if (name === 'Hello' || name === 'Prove') {
    throw new AiqError('HELLO_EXPECTED', `${name} came after the handshake; it must come first`);
  }
  if (name !== undefined && messages[name].from !== 'client') {
    throw new AiqError('BAD_FRAME', `${name} is a message that only a broker sends`);
  }
  const request = decodeFrame(frame);
  const longest = longestList(request.fields);
  if (longest > limits.batchItemsMax) {
    const message = `${request.name} has a list of ${longest} items; at most ${limits.batchItemsMax} are allowed: split it into several requests`;
    return { type: 'refused', error: new AiqError('TOO_MANY_ITEMS', message) };
  }
  if (request.name === 'Enqueue') {
    const { atomic, jobs } = request.fields;
    const { correlationId } = request;
    const checked = jobs.map((bytes) => checkJob(bytes, crc32));
    return {
      type: 'event',
      event: { type: 'enqueue', connection, correlationId, atomic, jobs: checked },
    };
  }
  if (request.name === 'Hello' || request.name === 'Prove') {
    throw new Error(`${request.name} was refused above`);
  }
  return { type: 'event', event: { type: 'request', connection, request, body: frame.body } };
}

/** Length of the longest list at any depth. */
function longestList(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0;
  let longest = Array.isArray(value) ? value.length : 0;
  for (const inner of Object.values(value)) longest = Math.max(longest, longestList(inner));
  return longest;
}
