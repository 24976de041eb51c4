/** Encodes the worked examples of `docs/reference/protocol.md` anew and compares it byte by byte. */

import { createHmac } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import {
  encodeFrame,
  encodeJob,
  encodePreamble,
  idToText,
  limits,
  type Message,
  type MessageName,
  signedBytes,
  Writer,
} from '../../core/protocol/index.ts';
import { section } from './rules/markdown.ts';
import { readText } from './rules/repository.ts';

const example = section(readText('docs/reference/protocol.md'), '## Worked examples');
const dumps = [...example.matchAll(/```\n([\s\S]*?)```/g)].map(([, dump = '']) => dump);
const id = idToText(Uint8Array.from({ length: 16 }, (_, index) => index));

/** What a dump's pairs of digits at the line starts match; `…` stands for any number of pairs. */
function dumpPattern(dump: string): RegExp {
  const pairs = dump
    .split('\n')
    .map((line) => /^(?:(?:[0-9a-f]{2}|…)(?: {1,2}|$))*/.exec(line)?.[0] ?? '')
    .join(' ')
    .trim()
    .split(/ +/);
  return new RegExp(`^${pairs.map((pair) => (pair === '…' ? '(?:.. )*' : `${pair} `)).join('')}$`);
}

function hex(...parts: Uint8Array[]): string {
  return Buffer.concat(parts).toString('hex').replace(/../g, '$& ');
}

function frame<N extends MessageName>(name: N, correlationId: number, fields: Message<N>) {
  const writer = new Writer();
  encodeFrame(writer, name, correlationId, fields);
  return writer.written();
}

const utf8 = (text: string) => new TextEncoder().encode(text);

const echo = {
  id,
  queue: 'echo',
  digest: new Uint8Array(16).fill(0xaa),
  body: utf8('{"input":{}}'),
  agent: 'echo',
  agentDigest: new Uint8Array(),
  source: '',
  createdAtMs: 0,
  attemptsMax: 4,
  priority: 'high',
} as const;

test('the preamble and Hello are as written', () => {
  const hello = frame('Hello', 1, {
    session: id,
    client: 'doc',
    proof: new Uint8Array(),
    features: 0,
    frameBytesMax: limits.frameBytesMax,
  });
  expect(hex(encodePreamble(), hello)).toMatch(dumpPattern(dumps[0] ?? ''));
});

test('Enqueue of one job is as written, its checksum included', () => {
  const enqueue = frame('Enqueue', 2, { atomic: false, jobs: [encodeJob(echo, crc32)] });
  expect(example).toContain(`\`${id}\``);
  expect(hex(enqueue)).toMatch(dumpPattern(dumps[1] ?? ''));
  expect(hex(encodeJob({ ...echo, queue: 'ohce' }, crc32))).not.toMatch(
    dumpPattern(dumps[1] ?? ''),
  );
});

test('the answer is as written', () => {
  const item = { id, outcome: 'created', state: 'ready', code: 0, message: '' } as const;
  expect(hex(frame('EnqueueOk', 2, { items: [item] }))).toMatch(dumpPattern(dumps[2] ?? ''));
});

test('the delivery, the settle with an optional and its answer are as written', () => {
  const token = { id, epoch: 7, delivery: 1 };
  const delivery = { token, attempt: 1, crashes: 0, isolated: false, leaseMs: 30_000 };
  const encoded = encodeJob(echo, crc32);
  const items = [{ ...delivery, enqueuedAtMs: 1_790_000_000_000, job: encoded }];
  expect(hex(frame('Deliver', 0, { items }))).toMatch(dumpPattern(dumps[3] ?? ''));
  const usage = { calls: 1, inputTokens: 20, outputTokens: 5, costMicros: 0, estimated: false };
  const settlement: Message<'PlainSettle'>['items'][number] = {
    token,
    outcome: 'ack',
    delayMs: 0,
    errorCode: '',
    errorMessage: '',
    note: '{}',
    usage,
    result: { inline: utf8('ok'), blob: null },
    enqueue: [],
    park: null,
  };
  expect(hex(frame('PlainSettle', 3, { items: [settlement] }))).toMatch(
    dumpPattern(dumps[4] ?? ''),
  );
  const answers = [{ code: 0, state: 'done', message: '' } as const];
  expect(hex(frame('SettleOk', 3, { items: answers }))).toMatch(dumpPattern(dumps[5] ?? ''));
});

test('the proof of the token is as written, in bytes that the two sides make of it', () => {
  const token = '0123456789abcdef'.repeat(4);
  const counting = (from: number, count: number): Uint8Array =>
    Uint8Array.from({ length: count }, (_, index) => from + index);
  const [clientNonce, brokerNonce] = [counting(0, 32), counting(32, 32)];
  const broker = idToText(counting(0xf0, 16));
  const signed = (side: 'broker' | 'client'): Uint8Array =>
    signedBytes(side, { clientNonce, brokerNonce, broker });
  const proof = (side: 'broker' | 'client'): Uint8Array =>
    new Uint8Array(createHmac('sha256', token).update(signed(side)).digest());
  const hello = { session: id, client: 'doc', features: 0, frameBytesMax: limits.frameBytesMax };
  const parts = [
    frame('Prove', 1, { nonce: clientNonce }),
    signed('broker'),
    frame('Proof', 1, { broker, nonce: brokerNonce, proof: proof('broker') }),
    frame('Hello', 2, { ...hello, proof: proof('client') }),
  ];
  for (const [index, part] of parts.entries()) {
    expect(hex(part)).toMatch(dumpPattern(dumps[6 + index] ?? ''));
  }
  expect(signed('broker')).toHaveLength(92);
  expect(dumps).toHaveLength(6 + parts.length);
});
