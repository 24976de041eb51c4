/** Peers that break the protocol: each loses its own connection, is told why, and disturbs nobody. */

import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  encodePreamble,
  frameHeaderBytes,
  limits,
  type Message,
  messages,
  nonceBytes,
  signedBytes,
} from '../../../../core/protocol/index.ts';
import {
  frameOf,
  guard,
  helloFields,
  type Peer,
  startTestBroker,
  type TestBroker,
} from './peer.ts';

let broker: TestBroker;
let good: Peer;

beforeAll(async () => {
  broker = await startTestBroker();
  good = broker.unixPeer();
  await good.hello();
});

afterAll(async () => {
  await good.close();
  await broker.stop();
});

/** Runs a peer that misbehaves and checks how it was refused, and that the good one is served. */
async function refused(misbehave: (peer: Peer) => void | Promise<void>) {
  const peer = broker.tcpPeer();
  await misbehave(peer);
  const refusal = await peer.refusal();
  expect(peer.version).toBe(1);
  good.send('Ping', 77, {});
  expect((await good.answer(77)).name).toBe('Ok');
  return refusal;
}

/** The same after an accepted Hello; the core must hear of exactly one close. */
async function refusedAfterHello(misbehave: (peer: Peer) => void) {
  const refusal = await refused(async (peer) => {
    expect((await peer.hello()).name).toBe('HelloOk');
    misbehave(peer);
  });
  const opened = broker.events.filter(({ type }) => type === 'opened').at(-1);
  const closes = broker.events.filter(
    ({ type, connection }) => type === 'closed' && connection === opened?.connection,
  );
  expect(closes).toHaveLength(1);
  return refusal;
}

/** A frame header with any length and opcode. */
function header(bodyBytes: number, opcode: number, correlationId = 9): Uint8Array {
  const bytes = new Uint8Array(frameHeaderBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bodyBytes);
  view.setUint8(4, opcode);
  view.setUint32(8, correlationId);
  return bytes;
}

describe('before Hello', () => {
  it('garbage is answered with BAD_MAGIC', async () => {
    const text = new TextEncoder().encode('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(await refused((peer) => peer.raw(text))).toEqual({
      code: 'BAD_MAGIC',
      correlationId: 0,
    });
  });

  it('another version is answered with our preamble and VERSION', async () => {
    const refusal = await refused((peer) => peer.raw(encodePreamble(2)));
    expect(refusal.code).toBe('VERSION');
  });

  it('a frame over the limit for strangers is refused by its header alone', async () => {
    const refusal = await refused((peer) => {
      peer.raw(encodePreamble());
      peer.raw(header(5000, 1));
    });
    expect(refusal.code).toBe('FRAME_TOO_LARGE');
  });

  it('any other message is answered with HELLO_EXPECTED', async () => {
    const refusal = await refused((peer) => {
      peer.raw(encodePreamble());
      peer.send('Ping', 3, {});
    });
    expect(refusal).toEqual({ code: 'HELLO_EXPECTED', correlationId: 3 });
  });

  /** Says Hello over TCP with a proof made so; the core must never hear of it. */
  async function refusedHello(prove: (peer: Peer) => Uint8Array | Promise<Uint8Array>) {
    const opened = broker.events.filter(({ type }) => type === 'opened').length;
    const refusal = await refused(async (peer) => {
      peer.raw(encodePreamble());
      peer.send('Hello', 4, helloFields({ proof: await prove(peer) }));
      peer.send('Ping', 5, {});
    });
    expect(broker.events.filter(({ type }) => type === 'opened')).toHaveLength(opened);
    return refusal;
  }

  it.each([
    ['nothing', () => new Uint8Array(0)],
    ['the token itself', () => guard.token],
    ['a proof without Prove', () => new Uint8Array(32)],
    ['no proof behind Prove', (peer: Peer) => peer.prove().then(() => new Uint8Array(0))],
    ['the proof of another token', (peer: Peer) => proofOfAnother(peer)],
    ["the broker's own proof", (peer: Peer) => reflected(peer)],
    ['the proof of another connection', () => replayed()],
  ])('%s instead of a proof over TCP is answered with UNAUTHORIZED', async (_, prove) => {
    expect(await refusedHello(prove)).toEqual({ code: 'UNAUTHORIZED', correlationId: 4 });
  });

  async function askForProof(peer: Peer, nonce: Uint8Array): Promise<Message<'Proof'>> {
    peer.send('Prove', 1, { nonce });
    const answer = await peer.answer(1);
    if (answer.name !== 'Proof') throw new Error(`Prove was answered with ${answer.name}`);
    return answer.fields;
  }

  async function proofOfAnother(peer: Peer): Promise<Uint8Array> {
    const clientNonce = new Uint8Array(nonceBytes);
    const { broker: id, nonce } = await askForProof(peer, clientNonce);
    const bytes = signedBytes('client', { clientNonce, brokerNonce: nonce, broker: id });
    return new Uint8Array(createHmac('sha256', 'another token').update(bytes).digest());
  }

  async function reflected(peer: Peer): Promise<Uint8Array> {
    return (await askForProof(peer, new Uint8Array(nonceBytes))).proof;
  }

  async function replayed(): Promise<Uint8Array> {
    const other = broker.tcpPeer();
    other.raw(encodePreamble());
    const proof = await other.prove();
    await other.close();
    return proof;
  }

  it('the broker proves itself to whoever asks, with a nonce of its own each time', async () => {
    const nonces = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const peer = broker.tcpPeer();
      peer.raw(encodePreamble());
      nonces.add(
        Buffer.from((await askForProof(peer, new Uint8Array(nonceBytes))).nonce).toString('hex'),
      );
      await peer.close();
    }
    expect(nonces.size).toBe(3);
  });

  it.each([
    ['twice', [nonceBytes, nonceBytes], 'HELLO_EXPECTED'],
    ['with a short nonce', [16], 'BAD_FRAME'],
    ['with a long nonce', [64], 'BAD_FRAME'],
  ] as const)('Prove %s is refused', async (_, lengths, code) => {
    const refusal = await refused((peer) => {
      peer.raw(encodePreamble());
      for (const length of lengths) peer.send('Prove', 6, { nonce: new Uint8Array(length) });
    });
    expect(refusal).toEqual({ code, correlationId: 6 });
  });

  it('Prove on the Unix socket, where nothing has to be proven, is answered with HELLO_EXPECTED', async () => {
    const peer = broker.unixPeer();
    peer.raw(encodePreamble());
    peer.send('Prove', 6, { nonce: new Uint8Array(nonceBytes) });
    expect(await peer.refusal()).toEqual({ code: 'HELLO_EXPECTED', correlationId: 6 });
  });

  it.each([
    ['a frame limit that holds no job', { frameBytesMax: limits.frameBytesMaxMin - 1 }],
    ['a name with a line break', { client: 'a\nb' }],
    ['a name with a zero byte', { client: 'a\0b' }],
    ['a name that turns the direction of text', { client: 'a\u202eb' }],
    ['a name of 201 bytes', { client: `${'é'.repeat(100)}x` }],
  ])('Hello with %s is answered with BAD_REQUEST', async (_, fields) => {
    const peer = broker.unixPeer();
    peer.raw(encodePreamble());
    peer.send('Hello', 4, helloFields(fields));
    expect(await peer.refusal()).toEqual({ code: 'BAD_REQUEST', correlationId: 4 });
  });

  it('a name of 200 bytes in any script is taken', async () => {
    const peer = broker.unixPeer();
    expect((await peer.hello({ client: 'é'.repeat(100) })).name).toBe('HelloOk');
    await peer.close();
  });

  it('correlation id 0 is refused, as its answer would look unasked', async () => {
    const refusal = await refused((peer) => {
      peer.raw(encodePreamble());
      peer.send('Hello', 0, helloFields());
    });
    expect(refusal).toEqual({ code: 'BAD_FRAME', correlationId: 0 });
  });
});

describe('after Hello', () => {
  it('a second Hello is answered with HELLO_EXPECTED', async () => {
    const refusal = await refusedAfterHello((peer) => peer.send('Hello', 8, helloFields()));
    expect(refusal).toEqual({ code: 'HELLO_EXPECTED', correlationId: 8 });
  });

  it('an oversized header is answered with FRAME_TOO_LARGE', async () => {
    const refusal = await refusedAfterHello((peer) => peer.raw(header(0xffff_ffff, 10)));
    expect(refusal.code).toBe('FRAME_TOO_LARGE');
  });

  it('bytes after the last field are answered with BAD_FRAME', async () => {
    const refusal = await refusedAfterHello((peer) => {
      peer.raw(header(1, 6));
      peer.raw(new Uint8Array(1));
    });
    expect(refusal).toEqual({ code: 'BAD_FRAME', correlationId: 9 });
  });

  it('a text that is not UTF-8 is answered with BAD_FRAME', async () => {
    const refusal = await refusedAfterHello((peer) => {
      peer.raw(header(6, messages.Signal.opcode));
      peer.raw(Uint8Array.of(0, 0, 0, 2, 0xc3, 0x28));
    });
    expect(refusal).toEqual({ code: 'BAD_FRAME', correlationId: 9 });
  });

  it('an unknown opcode is answered with UNKNOWN_OPCODE', async () => {
    const refusal = await refusedAfterHello((peer) => peer.raw(header(0, 250)));
    expect(refusal).toEqual({ code: 'UNKNOWN_OPCODE', correlationId: 9 });
  });

  it('a message that only a broker sends is answered with BAD_FRAME', async () => {
    const refusal = await refusedAfterHello((peer) => peer.send('Ok', 12, {}));
    expect(refusal).toEqual({ code: 'BAD_FRAME', correlationId: 12 });
  });

  it('a flood after the error does not keep the peer from reading why', async () => {
    const refusal = await refusedAfterHello((peer) => {
      peer.raw(header(0, 250));
      peer.raw(new Uint8Array(5_000_000));
    });
    expect(refusal).toEqual({ code: 'UNKNOWN_OPCODE', correlationId: 9 });
  });

  it('a list over the limit is that request’s error, and the connection goes on', async () => {
    const ids = Array.from({ length: 1001 }, () => helloFields().session);
    good.send('Cancel', 21, { ids });
    good.send('Ping', 22, {});
    expect(await good.answer(21)).toMatchObject({ name: 'Error', fields: { code: 24 } });
    expect((await good.answer(22)).name).toBe('Ok');
  });
});

describe('a peer that is too slow', () => {
  it.each([
    ['says nothing', new Uint8Array(0)],
    ['sends half a preamble', encodePreamble().subarray(0, 5)],
    ['sends a preamble only', encodePreamble()],
  ])('is answered with TOO_SLOW when it %s', async (_, bytes) => {
    const hasty = await startTestBroker({ handshakeMs: 60 });
    const peer = hasty.tcpPeer();
    peer.raw(bytes);
    expect(await peer.refusal()).toEqual({ code: 'TOO_SLOW', correlationId: 0 });
    expect(hasty.events).toEqual([]);
    await hasty.stop();
  });

  it('is answered with TOO_SLOW when it sends half a frame, while others idle unharmed', async () => {
    const hasty = await startTestBroker({ frameMs: 60 });
    const [idle, peer] = [hasty.unixPeer(), hasty.tcpPeer()];
    await idle.hello();
    await peer.hello();
    peer.raw(frameOf('Wait', 6, { id: helloFields().session }).subarray(0, 20));
    expect((await peer.refusal()).code).toBe('TOO_SLOW');
    idle.send('Ping', 2, {});
    expect((await idle.answer(2)).name).toBe('Ok');
    await hasty.stop();
  });
});
