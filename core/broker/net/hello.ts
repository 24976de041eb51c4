/** The first message of a connection: that it is Hello, and that its token is the right one. */

import { createHash, timingSafeEqual } from 'node:crypto';
import {
  AiqError,
  decodeFields,
  type Frame,
  type Message,
  messageNameOf,
} from '../../protocol/index.ts';

/** What a token is compared by: equal lengths for every token, and no secret at rest. */
export function tokenDigest(token: Uint8Array): Uint8Array {
  return createHash('sha256').update(token).digest();
}

/**
 * Reads Hello. The token stays here: what is returned carries none.
 * @param tokenSha256 digest of the right token, or null when none is needed
 * @throws AiqError `HELLO_EXPECTED`, `BAD_FRAME` or `UNAUTHORIZED`
 */
export function receiveHello(frame: Frame, tokenSha256: Uint8Array | null): Message<'Hello'> {
  const name = messageNameOf(frame.opcode);
  if (name !== 'Hello') {
    const came = name ?? `a frame with opcode ${frame.opcode}`;
    throw new AiqError('HELLO_EXPECTED', `the first message must be Hello, but ${came} came`);
  }
  const hello = decodeFields('Hello', frame.body);
  if (tokenSha256 !== null && !timingSafeEqual(tokenDigest(hello.token), tokenSha256)) {
    throw new AiqError('UNAUTHORIZED', 'the token is missing or wrong');
  }
  return { ...hello, token: new Uint8Array(0) };
}
