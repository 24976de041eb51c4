/** Attacks by garbage, by haste and by strangers: nobody who makes them has a place to lose. */

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  encodeFrame,
  encodePreamble,
  type FieldType,
  type MessageName,
  messages,
  protocolVersion,
  Writer,
} from '../../core/protocol/index.ts';
import { randomOf } from '../support/random.ts';
import { type Attack, type Ground, lanes, range } from './attack.ts';
import { jobOf, pipelined, randomId, type Where } from './peer.ts';

/** Each run has garbage of its own; a frame that does harm is in the broker's messages. */
const random = randomOf(randomInt(2 ** 31));
const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
const bytesOf = (count: number): Uint8Array =>
  Uint8Array.from({ length: count }, () => Math.floor(random() * 256));

const ids = range(20).map(() => randomId());
const numbers = [0, 1, 2, 255, 1_000, 65_535, 4_294_967_295, 2 ** 40, Number.MAX_SAFE_INTEGER];
const texts = ['', 'a', 'noise', 'noise-2', 'UPPER', '\u0000', '‮', 'x'.repeat(300), ids[0] ?? ''];
const widths = { u8: 0xff, u16: 0xffff, u32: 0xffff_ffff, u53: Number.MAX_SAFE_INTEGER };

/** A value that the type can carry, sensible or not. */
function anyValue(type: FieldType): unknown {
  if (typeof type !== 'string') {
    if ('list' in type) return range(pick([0, 1, 2, 5])).map(() => anyValue(type.list));
    if ('optional' in type) return random() < 0.5 ? null : anyValue(type.optional);
    if ('enum' in type) return pick(Object.keys(type.enum));
    return anyFields(type.struct);
  }
  if (type === 'id') return pick(ids);
  if (type === 'bool') return random() < 0.5;
  if (type === 'text') return pick(texts);
  if (type === 'bytes')
    return random() < 0.5 ? jobOf('noise', { id: pick(ids) }) : bytesOf(pick([0, 1, 32, 200]));
  return Math.min(pick(numbers), widths[type]);
}

function anyFields(fields: Readonly<Record<string, FieldType>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, type]) => [name, anyValue(type)]));
}

/** All that a client may ask, but to stop the broker. */
const requests = (Object.keys(messages) as MessageName[]).filter(
  (name) => messages[name].from === 'client' && !['Prove', 'Hello', 'Shutdown'].includes(name),
);

/** A frame of any request; one of a hundred is damaged. */
function anyFrame(correlationId: number): Uint8Array {
  const writer = new Writer();
  const name = pick(requests);
  // The values are of the right types by construction, which the compiler cannot see.
  encodeFrame(writer, name, correlationId, anyFields(messages[name].fields) as never);
  return random() < 0.01 ? damaged(writer.written()) : writer.written();
}

function damaged(frame: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(frame);
  const at = Math.floor(random() * copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  return random() < 0.2 ? copy.subarray(0, at) : copy;
}

const fuzz: Attack = {
  name: 'fuzz',
  does: 'random requests of every kind on 4 connections, one of a hundred damaged',
  run: (ground) =>
    lanes(ground, 4, async (peer) => {
      for (let sent = 0; !peer.isClosed() && !ground.isOver(); sent += 20) {
        await peer.flood(Buffer.concat(range(20).map((index) => anyFrame(2 + sent + index))));
        ground.count('frames', 20);
        await sleep(1);
      }
    }),
};

function garbledHello(): Uint8Array {
  const hello = { session: pick(ids), client: pick(texts), proof: bytesOf(pick([0, 32, 64])) };
  const version = pick([protocolVersion, 0, 2, 65_535]);
  const fields = { ...hello, features: pick([0, 1]), frameBytesMax: pick([0, 1_000, 4_194_304]) };
  const parts = [encodePreamble(version), pipelined(1, 'Hello', fields, 1), anyFrame(2)];
  return damaged(Buffer.concat(parts));
}

/** Opens, writes and lets go, on so many lines at once. */
async function strike(ground: Ground, lines: number, at: Where, said: () => Uint8Array | null) {
  const line = async (): Promise<void> => {
    while (!ground.isOver()) {
      const socket = connect(at).on('error', () => undefined);
      const bytes = said();
      if (bytes === null) await once(socket, 'connect').catch(() => undefined);
      else {
        socket.end(bytes);
        socket.resume();
        await Promise.race([once(socket, 'close').catch(() => undefined), ground.over]);
      }
      socket.destroy();
      ground.count('connections');
    }
  };
  await Promise.all(range(lines).map(line));
}

const fresh: Attack = {
  name: 'fresh',
  does: 'new connections with damaged preambles, Hellos and frames, 20 at a time',
  run: (ground) => strike(ground, 20, ground.unix, garbledHello),
};

const churn: Attack = {
  name: 'churn',
  does: 'connections that are closed as soon as they are open, 20 at a time',
  run: (ground) => strike(ground, 20, ground.unix, () => null),
};

const pings: Attack = {
  name: 'pings',
  does: 'a million Ping on one connection, no answer read',
  run: (ground) => {
    const bytes = pipelined(10_000, 'Ping', {});
    return lanes(ground, 1, async (peer) => {
      peer.socket.pause();
      for (let sent = 0; sent < 100 && !peer.isClosed() && !ground.isOver(); sent++) {
        await peer.flood(bytes);
      }
    });
  },
};

const proofs: Attack = {
  name: 'proofs',
  does: 'a stranger guesses proofs over TCP, 20 at a time',
  isStranger: true,
  run: (ground) =>
    strike(ground, 20, ground.tcp, () => {
      const fields = { session: pick(ids), client: 'stranger', proof: bytesOf(32) };
      const rest = { features: 0, frameBytesMax: 4_194_304 };
      const prove = pipelined(1, 'Prove', { nonce: bytesOf(32) }, 1);
      const hello = pipelined(1, 'Hello', { ...fields, ...rest }, 2);
      return Buffer.concat([encodePreamble(), prove, hello]);
    }),
};

/** Keeps so many connections open: each that is closed is opened again. */
async function crowd(ground: Ground, count: number, speak: (socket: Socket) => Promise<void>) {
  const place = async (): Promise<void> => {
    while (!ground.isOver()) {
      const socket = connect(ground.tcp).on('error', () => undefined);
      socket.resume();
      ground.count('connections');
      const closed = once(socket, 'close').catch(() => undefined);
      await Promise.race([closed, ground.over, speak(socket)]);
      socket.destroy();
      await sleep(5);
    }
  };
  await Promise.all(range(count).map(place));
}

const halfOpen: Attack = {
  name: 'halfopen',
  does: 'a stranger keeps 280 TCP connections open without a word',
  isStranger: true,
  run: (ground) => crowd(ground, 280, () => ground.over),
};

const slowHello: Attack = {
  name: 'slowloris',
  does: 'a stranger says 300 Hellos over TCP, a byte a second each',
  isStranger: true,
  run: (ground) =>
    crowd(ground, 300, async (socket) => {
      for (const byte of encodePreamble()) {
        if (socket.destroyed) return;
        socket.write(Uint8Array.of(byte));
        await Promise.race([sleep(1_000), ground.over]);
      }
    }),
};

export const attacksOfNoise: readonly Attack[] = [
  fuzz,
  fresh,
  churn,
  pings,
  proofs,
  halfOpen,
  slowHello,
];
