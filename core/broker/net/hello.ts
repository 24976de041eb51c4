/**
 * The messages before a connection is open: over TCP the proof of both sides that they have the
 * token, the broker first, then Hello; over the Unix socket Hello alone.
 */

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  AiqError,
  decodeFields,
  type Frame,
  isClientName,
  limits,
  type Message,
  messageNameOf,
  nonceBytes,
  type ProofNonces,
  protocolVersion,
  signedBytes,
} from '../../protocol/index.ts';

/** @throws AiqError `VERSION` */
export function assertOurVersion(version: number): void {
  if (version === protocolVersion) return;
  const message = `this broker speaks protocol version ${protocolVersion}, not ${version}`;
  throw new AiqError('VERSION', message);
}

/** Secret and identity for the mutual proof over TCP. */
export interface Guard {
  readonly token: Uint8Array;
  /** The broker's id: it is part of what is signed. */
  readonly broker: string;
}

/** What follows from a frame of the handshake. */
type Step =
  | { readonly type: 'proof'; readonly proof: Message<'Proof'> }
  | { readonly type: 'hello'; readonly hello: Message<'Hello'> };

export class Handshake {
  readonly #guard: Guard | null;
  #nonces: ProofNonces | null = null;

  /** @param guard null when the peer has nothing to prove */
  constructor(guard: Guard | null) {
    this.#guard = guard;
  }

  /**
   * Handles the next frame of an unauthenticated peer. The returned Hello has no proof.
   * @throws AiqError `HELLO_EXPECTED`, `BAD_FRAME`, `BAD_REQUEST` or `UNAUTHORIZED`: the connection
   *   must end
   */
  receive(frame: Frame): Step {
    const name = messageNameOf(frame.opcode);
    if (name === 'Prove' && this.#guard !== null && this.#nonces === null) {
      return { type: 'proof', proof: this.#prove(decodeFields(name, frame.body), this.#guard) };
    }
    if (name !== 'Hello') {
      const came = name ?? `a frame with opcode ${frame.opcode}`;
      const first = this.#guard === null ? 'Hello' : 'Prove and then Hello';
      throw new AiqError('HELLO_EXPECTED', `expected ${first} first, not ${came}`);
    }
    const hello = decodeFields(name, frame.body);
    if (this.#guard !== null) this.#check(hello.proof, this.#guard.token);
    assertServable(hello);
    return { type: 'hello', hello: { ...hello, proof: new Uint8Array(0) } };
  }

  #prove({ nonce }: Message<'Prove'>, { token, broker }: Guard): Message<'Proof'> {
    const clientNonce = new Uint8Array(nonce);
    const brokerNonce = new Uint8Array(randomBytes(nonceBytes));
    this.#nonces = { clientNonce, brokerNonce, broker };
    return { broker, nonce: brokerNonce, proof: sign(token, signedBytes('broker', this.#nonces)) };
  }

  #check(proof: Uint8Array, token: Uint8Array): void {
    if (this.#nonces === null) {
      const message =
        'over TCP both sides must prove that they have the token: send Prove before Hello';
      throw new AiqError('UNAUTHORIZED', message);
    }
    const expected = sign(token, signedBytes('client', this.#nonces));
    if (proof.length === expected.length && timingSafeEqual(proof, expected)) return;
    throw new AiqError('UNAUTHORIZED', 'the proof of the token is missing or wrong');
  }
}

function sign(token: Uint8Array, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac('sha256', token).update(bytes).digest());
}

/** @throws AiqError `BAD_REQUEST` */
function assertServable({ client, frameBytesMax }: Message<'Hello'>): void {
  if (!isClientName(client)) {
    const allowed = `at most ${limits.clientNameBytesMax} bytes without control characters`;
    throw new AiqError('BAD_REQUEST', `the name of the client must have ${allowed}`);
  }
  if (frameBytesMax >= limits.frameBytesMaxMin) return;
  const message = `frameBytesMax is ${frameBytesMax}; at least ${limits.frameBytesMaxMin} are needed for the largest job`;
  throw new AiqError('BAD_REQUEST', message);
}
