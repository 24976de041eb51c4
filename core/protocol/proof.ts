/**
 * What the two sides of a TCP connection sign to prove that both have the token, which itself never
 * travels (the idea of RFC 5802): an HMAC-SHA256 under the token, over these bytes. The broker proves
 * itself first. The first word names protocol version and side, so that no proof serves as one of the
 * other side; the fresh nonces of both sides keep it from being used twice.
 */

import { idBytes, idFromText } from './ids.ts';
import { protocolVersion } from './limits.ts';
import { malformed, Writer } from './wire.ts';

/** Random bytes that each side adds to what is signed. */
export const nonceBytes = 32;

/** What both sides know once the broker has answered Prove. */
export interface ProofNonces {
  readonly clientNonce: Uint8Array;
  readonly brokerNonce: Uint8Array;
  /** The broker's id, as HelloOk repeats it. */
  readonly broker: string;
}

/**
 * The bytes that a side signs.
 * @throws AiqError `BAD_FRAME` when a nonce has another length: what is signed could be read in two ways
 */
export function signedBytes(side: 'broker' | 'client', nonces: ProofNonces): Uint8Array {
  const writer = new Writer();
  writer.raw(new TextEncoder().encode(`aiq/${protocolVersion} ${side}`));
  for (const nonce of [nonces.clientNonce, nonces.brokerNonce]) {
    if (nonce.length !== nonceBytes)
      throw malformed(`a nonce has ${nonce.length} bytes, not ${nonceBytes}`);
    writer.raw(nonce);
  }
  writer.fill(idBytes, (into, offset) => idFromText(nonces.broker, into, offset));
  return writer.written();
}
