/**
 * The client's side of the proof over TCP: the broker shows first that it has the token, and only
 * then does the client. A process that merely has the port learns nothing but a nonce.
 */

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { AiqError, type Message, nonceBytes, signedBytes } from '../protocol/index.ts';

export class TokenProof {
  readonly nonce: Uint8Array = new Uint8Array(randomBytes(nonceBytes));
  readonly #token: Uint8Array;

  constructor(token: Uint8Array) {
    this.#token = token;
  }

  /**
   * Checks what the broker answered to Prove, and returns the client's own proof.
   * @throws AiqError `UNAUTHORIZED` when the peer does not have the token
   */
  answer({ broker, nonce, proof }: Message<'Proof'>): Uint8Array {
    const nonces = { clientNonce: this.nonce, brokerNonce: nonce, broker };
    const expected = this.#sign(signedBytes('broker', nonces));
    if (proof.length !== expected.length || !timingSafeEqual(proof, expected)) {
      const message =
        'it could not prove that it has the token, so nothing was sent to it: it is another program, ' +
        'or the token is that of another broker';
      throw new AiqError('UNAUTHORIZED', message);
    }
    return this.#sign(signedBytes('client', nonces));
  }

  #sign(bytes: Uint8Array): Uint8Array {
    return new Uint8Array(createHmac('sha256', this.#token).update(bytes).digest());
  }
}
