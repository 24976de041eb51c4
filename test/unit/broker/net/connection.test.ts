/** One connection: its states, and its deadlines on what the peer sends. */

import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { netLimitDefaults } from '../../../../core/broker/net/net-limits.ts';
import { encodePreamble, limits } from '../../../../core/protocol/index.ts';
import { frameOf, hello, onHandshakeFrame, openPair, typesOf } from './connection-pair.ts';

describe('the life of a connection', () => {
  it('goes from preamble to hello to open to closed, and tells the core of both ends', async () => {
    const pair = openPair();
    expect(pair.connection.state).toBe('preamble');
    await pair.send(encodePreamble());
    expect(pair.connection.state).toBe('hello');
    await pair.send(frameOf('Hello', 1, hello));
    expect(pair.connection.state).toBe('open');
    pair.far.destroy();
    pair.near.destroy();
    await setImmediate();
    expect(pair.connection.state).toBe('closed');
    expect(typesOf(pair)).toEqual(['opened', 'closed']);
    expect(pair.host.states).toEqual(['preamble to hello', 'hello to open', 'open to closed']);
  });

  it('tells the core nothing of a peer that never said Hello', async () => {
    const pair = openPair();
    await pair.send(encodePreamble());
    pair.connection.destroy();
    await setImmediate();
    expect(pair.host.events).toEqual([]);
    expect(pair.host.states).toEqual(['preamble to hello', 'hello to closed']);
  });

  it('takes requests that came in one piece with Hello, in order', async () => {
    const pair = openPair();
    const parts = [encodePreamble(), frameOf('Hello', 1, hello), frameOf('Ping', 2, {})];
    await pair.send(Buffer.concat(parts));
    expect(typesOf(pair)).toEqual(['opened', 'request']);
  });

  it('reads nothing of what follows a protocol error', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    await pair.send(Buffer.concat([frameOf('Ok', 2, {}), frameOf('Ping', 3, {})]));
    await pair.send(frameOf('Ping', 4, {}));
    expect(pair.connection.state).toBe('draining');
    expect(pair.errors()).toEqual(['BAD_FRAME']);
    expect(typesOf(pair)).toEqual(['opened', 'closed']);
  });

  it('sends nothing more once it drains, and closes once its peer did', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    pair.connection.write(frameOf('Ok', 2, {}));
    pair.connection.drain();
    pair.connection.drain();
    pair.connection.write(frameOf('Ok', 3, {}));
    pair.far.end();
    await setImmediate();
    await setImmediate();
    expect(pair.received().map(({ correlationId }) => correlationId)).toEqual([2]);
    expect(pair.connection.state).toBe('closed');
    expect(typesOf(pair)).toEqual(['opened', 'closed']);
  });

  it('drops what a draining peer still sends, and ends when it does not close in time', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    pair.connection.drain();
    await pair.send(new Uint8Array(100_000));
    pair.connection.tick(netLimitDefaults.lingerMs);
    expect(pair.connection.state).toBe('draining');
    pair.connection.tick(netLimitDefaults.lingerMs + 1);
    await setImmediate();
    expect(pair.connection.state).toBe('closed');
  });
});

it('a draining connection reads on to its end even when it may not read', async () => {
  const pair = openPair();
  await onHandshakeFrame(pair);
  pair.host.receiveBudget.shareBytes = -1;
  pair.connection.updateReading();
  pair.connection.drain();
  pair.far.end(new Uint8Array(1000));
  for (let turn = 0; turn < 3; turn++) await setImmediate();
  expect(pair.connection.state).toBe('closed');
});

describe('what the operator is told', () => {
  it('is why a login was refused, and no word of what the peer said', async () => {
    const pair = openPair();
    const secret = 'secret'.repeat(40);
    await pair.send(encodePreamble(), frameOf('Hello', 1, { ...hello, client: secret }));
    expect(pair.host.notices).toEqual([
      'refused logins: a login over unix was refused: BAD_REQUEST: the name of the client must have at most 200 bytes without control characters',
    ]);
  });

  it('is which client was cut off, and why', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    await pair.send(frameOf('Ok', 2, {}));
    expect(pair.host.notices).toEqual([
      'clients cut off: client "test" over unix was cut off: BAD_FRAME: Ok is a message that only a broker sends',
    ]);
  });

  it('is that a peer does not read', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    pair.far.pause();
    for (let frame = 0; frame < 10_000; frame++) pair.connection.write(frameOf('Ok', 9, {}));
    pair.connection.tick(netLimitDefaults.unixStallMs + 1);
    await setImmediate();
    expect(pair.connection.state).toBe('closed');
    expect(pair.host.notices).toEqual([
      expect.stringMatching(
        /^clients cut off: client "test" .* it does not read the \d+ bytes sent to it$/,
      ),
    ]);
  });

  it('is nothing when a peer leaves by itself, or the broker closes', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    pair.connection.drain();
    pair.far.end();
    pair.connection.tick(netLimitDefaults.lingerMs + 1);
    await setImmediate();
    expect(pair.host.notices).toEqual([]);
  });
});

describe('deadlines', () => {
  it('give Hello its time, not renewed by the preamble', async () => {
    const pair = openPair();
    pair.host.nowMs = 3000;
    await pair.send(encodePreamble());
    pair.connection.tick(netLimitDefaults.handshakeMs);
    expect(pair.errors()).toEqual([]);
    pair.connection.tick(netLimitDefaults.handshakeMs + 1);
    await setImmediate();
    expect(pair.errors()).toEqual(['TOO_SLOW']);
  });

  it('let an idle connection be', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    pair.connection.tick(1e9);
    expect(pair.connection.state).toBe('open');
  });

  it('give a begun frame no more time for a byte than a slow line needs', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    const frame = frameOf('Pause', 2, { queue: 'summarize' });
    for (let at = 0; at < 10; at++) {
      pair.host.nowMs = at * 1000;
      await pair.send(frame.subarray(at, at + 1));
    }
    pair.connection.tick(netLimitDefaults.frameMs);
    expect(pair.connection.state).toBe('open');
    pair.connection.tick(netLimitDefaults.frameMs + 10);
    await setImmediate();
    expect(pair.errors()).toEqual(['TOO_SLOW']);
  });

  it('give a frame of any size as long as a slow line takes for it', async () => {
    const pair = openPair();
    pair.host.receiveBudget.shareBytes = 1e9;
    await onHandshakeFrame(pair);
    const chunk = new Uint8Array(limits.blobChunkBytesMax);
    const put = { sha256: new Uint8Array(32), totalBytes: chunk.length, offset: 0, chunk };
    const frame = frameOf('BlobPut', 2, put);
    for (let at = 0; at < frame.length; at += limits.lineBytesPerSecond) {
      await pair.send(frame.subarray(at, at + limits.lineBytesPerSecond));
      pair.host.nowMs += 1000;
      pair.connection.tick(pair.host.nowMs);
    }
    expect(pair.host.nowMs).toBeGreaterThan(3 * netLimitDefaults.frameMs);
    expect(typesOf(pair)).toEqual(['opened', 'request']);
  });

  it('cut off a sender that stops in a frame, however much of it came before', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    const put = {
      sha256: new Uint8Array(32),
      totalBytes: 9,
      offset: 0,
      chunk: new Uint8Array(2e5),
    };
    await pair.send(frameOf('BlobPut', 2, put).subarray(0, 190_000));
    pair.connection.tick(netLimitDefaults.frameMs + 1);
    await setImmediate();
    expect(pair.errors()).toEqual(['TOO_SLOW']);
  });

  it('begin again with each frame of a busy stream that never ends on a frame', async () => {
    const pair = openPair();
    await onHandshakeFrame(pair);
    const stream = Buffer.concat(
      Array.from({ length: 40 }, (_, at) => frameOf('Ping', at + 1, {})),
    );
    for (let at = 0; at < 19; at++) {
      pair.host.nowMs += netLimitDefaults.frameMs / 2;
      await pair.send(stream.subarray(at * 20, at * 20 + 20));
      pair.connection.tick(pair.host.nowMs);
    }
    expect(pair.connection.state).toBe('open');
  });
});
