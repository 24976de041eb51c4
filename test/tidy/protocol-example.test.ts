/** Encodes the worked example of `docs/protocol.md` anew and compares it byte by byte. */

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
  Writer,
} from '../../core/protocol/index.ts';
import { section } from './markdown.ts';
import { readText } from './repository.ts';

const example = section(readText('docs/protocol.md'), '## A worked example');
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
  const job = {
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
  const enqueue = frame('Enqueue', 2, { atomic: false, jobs: [encodeJob(job, crc32)] });
  expect(example).toContain(`\`${id}\``);
  expect(hex(enqueue)).toMatch(dumpPattern(dumps[1] ?? ''));
  expect(hex(encodeJob({ ...job, queue: 'ohce' }, crc32))).not.toMatch(dumpPattern(dumps[1] ?? ''));
});

test('the answer is as written', () => {
  const item = { id, outcome: 'created', state: 'ready', code: 0, message: '' } as const;
  expect(hex(frame('EnqueueOk', 2, { items: [item] }))).toMatch(dumpPattern(dumps[2] ?? ''));
  expect(dumps).toHaveLength(3);
});
