/** The proof of the token, broker against client, in memory. */

import { describe, expect, test } from 'vitest';
import { Handshake } from '../../../../core/broker/net/hello.ts';
import { TokenProof } from '../../../../core/client/proof.ts';
import {
  decodeFields,
  encodeFields,
  type Frame,
  limits,
  type Message,
  type MessageName,
  messages,
  Writer,
} from '../../../../core/protocol/index.ts';

const token = new TextEncoder().encode('t'.repeat(64));
const broker = '0123456789abcdefghjkmnpqr0';

function frameOf<N extends MessageName>(name: N, fields: Message<N>): Frame {
  const writer = new Writer();
  encodeFields(writer, name, fields);
  return { opcode: messages[name].opcode, correlationId: 1, body: writer.written().slice() };
}

function helloWith(proof: Uint8Array): Frame {
  const { frameBytesMax } = limits;
  return frameOf('Hello', { session: broker, client: 'test', proof, features: 0, frameBytesMax });
}

/** What a broker with the token answers to a nonce. */
function prove(handshake: Handshake, nonce: Uint8Array): Message<'Proof'> {
  const step = handshake.receive(frameOf('Prove', { nonce }));
  if (step.type !== 'proof') throw new Error('Prove was not answered with a proof');
  return step.proof;
}

const guarded = (): Handshake => new Handshake({ token, broker });

describe('the proof of the token', () => {
  test('convinces both sides that have it, and Hello carries none of it on', () => {
    const [handshake, client] = [guarded(), new TokenProof(token)];
    const proof = client.answer(prove(handshake, client.nonce));
    const step = handshake.receive(helloWith(proof));
    expect(step).toMatchObject({ type: 'hello', hello: { client: 'test' } });
    expect(step.type === 'hello' && step.hello.proof).toHaveLength(0);
  });

  test('of a broker is none of a client, though all else is the same', () => {
    const [handshake, client] = [guarded(), new TokenProof(token)];
    const { proof } = prove(handshake, client.nonce);
    expect(() => handshake.receive(helloWith(proof))).toThrow(
      'the proof of the token is missing or wrong',
    );
  });

  test('with one bit changed is none', () => {
    const [handshake, client] = [guarded(), new TokenProof(token)];
    const proof = client.answer(prove(handshake, client.nonce));
    proof[31]! ^= 1;
    expect(() => handshake.receive(helloWith(proof))).toThrow('missing or wrong');
  });

  test('binds what the broker says: its id and its nonce', () => {
    const client = new TokenProof(token);
    const said = prove(guarded(), client.nonce);
    const otherId = `1${broker.slice(1)}`;
    expect(() => client.answer({ ...said, broker: otherId })).toThrow('could not prove');
    expect(() => client.answer({ ...said, nonce: new Uint8Array(32) })).toThrow('could not prove');
    expect(() => client.answer({ ...said, nonce: said.nonce.subarray(1) })).toThrow('malformed');
    expect(client.answer(said)).toHaveLength(32);
  });

  test('travels as the messages of the document', () => {
    const said = prove(guarded(), new TokenProof(token).nonce);
    const frame = frameOf('Proof', said);
    expect(frame.body).toHaveLength(16 + 4 + 32 + 4 + 32);
    expect(decodeFields('Proof', frame.body)).toEqual(said);
  });
});
