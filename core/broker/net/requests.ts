/**
 * From a whole frame to what the core gets: decodes it, checks limits, and checks each job of an
 * Enqueue (checksum, fields). What is wrong with one job or one batch is that request's answer;
 * what is wrong with the frame ends the connection.
 */

import { crc32 } from 'node:zlib';
import {
  AiqError,
  decodeFrame,
  decodeJob,
  type Frame,
  idBytes,
  idToText,
  jobChecksumFits,
  jobFields,
  limits,
  type Message,
  messageNameOf,
  messages,
  Reader,
} from '../../protocol/index.ts';
import { type CheckedJob, type ConnectionId, factsOfJob, type NetEvent } from '../events.ts';

/** What a frame means: an event for the core, or a refusal after which the connection goes on. */
type Received =
  | { readonly type: 'event'; readonly event: NetEvent }
  | { readonly type: 'refused'; readonly error: AiqError };

/** @throws AiqError `BAD_FRAME`: its answer would look unasked */
export function assertAsked({ correlationId }: Frame): void {
  if (correlationId !== 0) return;
  const message = 'a request has correlation id 0, which marks what nobody asked for';
  throw new AiqError('BAD_FRAME', message);
}

/**
 * Reads a frame that came after Hello.
 * @throws AiqError `UNKNOWN_OPCODE`, `BAD_FRAME` or `HELLO_EXPECTED`: the connection must end
 */
export function receiveRequest(connection: ConnectionId, frame: Frame): Received {
  const name = messageNameOf(frame.opcode);
  if (name === 'Hello' || name === 'Prove') {
    throw new AiqError(
      'HELLO_EXPECTED',
      `${name} came after Hello; it must come before all others`,
    );
  }
  if (name !== undefined && messages[name].from !== 'client') {
    throw new AiqError('BAD_FRAME', `${name} is a message that only a broker sends`);
  }
  const request = decodeFrame(frame);
  const longest = longestList(request.fields);
  if (longest > limits.batchItemsMax) {
    const message = `${request.name} has a list of ${longest} items; ${limits.batchItemsMax} are allowed: send several`;
    return { type: 'refused', error: new AiqError('TOO_MANY_ITEMS', message) };
  }
  if (request.name === 'Enqueue') {
    const { atomic, jobs } = request.fields;
    const { correlationId } = request;
    const checked = jobs.map(checkJob);
    return {
      type: 'event',
      event: { type: 'enqueue', connection, correlationId, atomic, jobs: checked },
    };
  }
  if (request.name === 'Settle') {
    const bad = badFollowUp(request.fields);
    if (bad !== null) return { type: 'refused', error: bad };
  }
  if (request.name === 'Hello' || request.name === 'Prove') {
    throw new Error(`${request.name} was refused above`);
  }
  return { type: 'event', event: { type: 'request', connection, request } };
}

/** What is wrong with the first bad follow-up job; null when all are fine. */
function badFollowUp({ items }: Message<'Settle'>): AiqError | null {
  for (const bytes of items.flatMap((item) => item.enqueue)) {
    const checked = checkJob(bytes);
    if (!checked.ok) return new AiqError(checked.code, `follow-up job: ${checked.message}`);
  }
  return null;
}

/** Length of the longest list at any depth. */
function longestList(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0;
  let longest = Array.isArray(value) ? value.length : 0;
  for (const inner of Object.values(value)) longest = Math.max(longest, longestList(inner));
  return longest;
}

function checkJob(bytes: Uint8Array): CheckedJob {
  // Size first, so that nobody pays a checksum over a job that is refused anyway.
  if (bytes.length <= limits.jobBytesMax && !jobChecksumFits(bytes, crc32)) {
    const message = 'the checksum of the job does not fit its bytes: it was damaged on the way';
    return { ok: false, id: null, code: 'CHECKSUM', message };
  }
  try {
    return { ok: true, bytes, job: factsOfJob(decodeJob(bytes), bytes.length) };
  } catch (error) {
    if (!(error instanceof AiqError)) throw error;
    return { ok: false, id: jobIdOf(bytes), code: error.code, message: error.message };
  }
}

/** The id of a job that cannot be accepted, so that the answer can name it; null without one. */
function jobIdOf(bytes: Uint8Array): string | null {
  const reader = new Reader(bytes);
  try {
    reader.u32();
    while (reader.remaining > 0) {
      const tag = reader.u16();
      const value = reader.bytes();
      if (tag === jobFields.id.tag) return value.length === idBytes ? idToText(value) : null;
    }
  } catch {
    // The fields end before an id was found: there is none to name.
  }
  return null;
}
