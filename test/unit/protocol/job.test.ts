/** The job's bytes: what goes in comes out, damage is noticed, bad and unknown fields are told apart. */

import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkNewJob,
  decodeJob,
  decodeJobCore,
  encodeJob,
  idToText,
  isKey,
  isQueueName,
  isTag,
  type Job,
  jobChecksumFits,
  jobFields,
  limits,
  type Priority,
  plainJob,
  priorities,
  Reader,
  Writer,
} from '../../../core/protocol/index.ts';

const job: Job = {
  id: '0123456789abcdefghjkmnpqr0',
  queue: 'summarize',
  digest: new Uint8Array(16).fill(3),
  body: new TextEncoder().encode('{"text":"grüße"}'),
  agent: 'summarize',
  agentDigest: new Uint8Array(32).fill(4),
  source: 'grüße.txt',
  createdAtMs: 1_790_000_000_000,
  attemptsMax: 7,
  delayMs: 1500,
  runAtMs: 1_790_000_360_000,
  expiresAtMs: 1_790_000_720_000,
  priority: 'high',
  tags: ['mill', 'Q3/2026'],
  parkKey: 'approval:7',
  batch: 'spring',
  bodyRef: null,
};

const priorityNames = Object.keys(priorities) as Priority[];
const word = (max: number) =>
  fc.stringMatching(/^[\x21-\x7e]+$/, { size: 'medium' }).map((text) => text.slice(0, max));

/** A body inline or by reference. */
const anyBody = fc.oneof(
  fc.record({ body: fc.uint8Array({ maxLength: 2000 }), bodyRef: fc.constant(null) }),
  fc.record({
    body: fc.constant(new Uint8Array(0)),
    bodyRef: fc.record(
      {
        sha256: fc.uint8Array({ minLength: 32, maxLength: 32 }),
        totalBytes: fc.nat({ max: limits.blobBytesMax }),
      },
      { noNullPrototype: true },
    ),
  }),
);

const anyJob: fc.Arbitrary<Job> = fc
  .record({
    id: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => idToText(bytes)),
    queue: fc.stringMatching(/^[a-z0-9]{1,9}([._-][a-z0-9]{1,9}){0,3}$/),
    digest: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    agent: fc.string({ unit: 'binary', maxLength: 30 }),
    agentDigest: fc.constantFrom(new Uint8Array(0), new Uint8Array(32).fill(1)),
    source: fc.string({ unit: 'binary', maxLength: 60 }),
    createdAtMs: fc.maxSafeNat(),
    attemptsMax: fc.integer({ min: 1, max: 1000 }),
    delayMs: fc.nat(),
    runAtMs: fc.maxSafeNat(),
    expiresAtMs: fc.maxSafeNat(),
    priority: fc.constantFrom(...priorityNames),
    tags: fc.array(word(limits.tagBytesMax), { maxLength: limits.tagsMax }),
    parkKey: fc.oneof(fc.constant(''), word(limits.keyBytesMax)),
    batch: fc.oneof(fc.constant(''), word(limits.tagBytesMax)),
    content: anyBody,
  })
  .map(({ content, ...fields }) => ({ ...fields, ...content }));

type Fields = Map<number, Uint8Array>;

/** The fields of an encoded job by tag, to be changed and put together again. */
function fieldsOf(encoded: Uint8Array): Fields {
  const reader = new Reader(encoded.subarray(4));
  const fields: Fields = new Map();
  while (reader.remaining > 0) fields.set(reader.u16(), reader.bytes());
  return fields;
}

function assembled(fields: Iterable<readonly [number, Uint8Array]>): Uint8Array {
  const writer = new Writer();
  writer.u32(0);
  for (const [tag, value] of fields) {
    writer.u16(tag);
    writer.bytes(value);
  }
  writer.setU32(0, crc32(writer.written().subarray(4)));
  return writer.written();
}

/** The job of the tests with one field replaced, or left out when the value is null. */
function changed(tag: number, value: Uint8Array | null): Uint8Array {
  const fields = fieldsOf(encodeJob(job, crc32));
  if (value === null) fields.delete(tag);
  else fields.set(tag, value);
  return assembled(fields);
}

function refusalOf(
  encoded: Uint8Array,
  decode: (encoded: Uint8Array) => unknown = decodeJob,
): { code: string; message: string } {
  try {
    decode(encoded);
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return { code, message };
  }
  return { code: 'no error', message: '' };
}

function u32(value: number): Uint8Array {
  const writer = new Writer();
  writer.u32(value);
  return writer.written();
}

const utf8 = (text: string) => new TextEncoder().encode(text);
const notUtf8 = Uint8Array.of(0xc3, 0x28);

describe('a job', () => {
  it('comes back as it was encoded, with a checksum that fits', () => {
    fc.assert(
      fc.property(anyJob, (value) => {
        const encoded = encodeJob(value, crc32);
        expect(jobChecksumFits(encoded, crc32)).toBe(true);
        expect(decodeJob(encoded)).toEqual(value);
      }),
    );
  });

  it('is noticed as damaged whichever bit flips', () => {
    const encoded = encodeJob(job, crc32);
    for (let at = 0; at < encoded.length; at++) {
      const damaged = encoded.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      expect(jobChecksumFits(damaged, crc32)).toBe(false);
    }
    expect(jobChecksumFits(encoded.subarray(0, -1), crc32)).toBe(false);
    expect(jobChecksumFits(new Uint8Array(0), crc32)).toBe(false);
  });

  it('is refused as a bad job, never as a bad frame, wherever its bytes end', () => {
    const encoded = encodeJob(job, crc32);
    const codes = new Set<string>();
    for (let length = 0; length < encoded.length; length++) {
      codes.add(refusalOf(encoded.subarray(0, length)).code);
    }
    expect(codes).toEqual(new Set(['BAD_JOB']));
  });

  it('has defaults for the fields that may be missing', () => {
    const { id, queue, digest, body } = jobFields;
    const required: readonly number[] = [id.tag, queue.tag, digest.tag, body.tag];
    const fields = [...fieldsOf(encodeJob(job, crc32))].filter(([tag]) => required.includes(tag));
    const decoded = decodeJob(assembled(fields));
    expect(decoded).toMatchObject({ agent: '', source: '', createdAtMs: 0, ...plainJob });
    expect(decoded.agentDigest.length).toBe(0);
  });

  it('keeps an unknown field that is not critical', () => {
    const encoded = changed(0x0777, Uint8Array.of(1, 2, 3));
    expect(jobChecksumFits(encoded, crc32)).toBe(true);
    expect(decodeJob(encoded)).toEqual(job);
    expect(fieldsOf(encoded).get(0x0777)).toEqual(Uint8Array.of(1, 2, 3));
  });

  it('is refused when an unknown field is critical', () => {
    const refusal = refusalOf(changed(0x8777, new Uint8Array(0)));
    expect(refusal).toMatchObject({ code: 'UNSUPPORTED' });
    expect(refusal.message).toContain(String(0x0777));
  });

  it('is refused when it needs a field that v1 reserves', () => {
    const reserved = Object.entries(jobFields).filter(([, { served }]) => !served);
    expect(reserved.length).toBeGreaterThan(0);
    for (const [name, { tag }] of reserved) {
      const refusal = refusalOf(changed(tag, new Uint8Array(4)));
      expect(refusal).toEqual({ code: 'UNSUPPORTED', message: expect.stringContaining(name) });
    }
  });

  it.each(['id', 'queue', 'digest', 'body'] as const)('is refused without %s', (name) => {
    const refusal = refusalOf(changed(jobFields[name].tag, null));
    expect(refusal).toEqual({ code: 'BAD_JOB', message: expect.stringContaining(name) });
  });

  it.each([
    ['an id of 15 bytes', 'id', new Uint8Array(15)],
    ['a digest of 17 bytes', 'digest', new Uint8Array(17)],
    ['a queue with capitals', 'queue', utf8('Summarize')],
    ['an empty queue', 'queue', new Uint8Array(0)],
    ['a queue that is not UTF-8', 'queue', notUtf8],
    ['an agent that is not UTF-8', 'agent', notUtf8],
    ['a source that is not UTF-8', 'source', notUtf8],
    ['an agent digest of 31 bytes', 'agentDigest', new Uint8Array(31)],
    ['no attempts', 'attemptsMax', u32(0)],
    ['1001 attempts', 'attemptsMax', u32(1001)],
    ['attempts in 2 bytes', 'attemptsMax', new Uint8Array(2)],
    ['a delay in 4 bytes', 'delayMs', u32(5)],
    ['a delay of a thousand years', 'delayMs', Uint8Array.of(0, 0, 0x20, 0, 0, 0, 0, 0)],
    ['a delay over 2^53', 'delayMs', new Uint8Array(8).fill(255)],
    ['a creation time over 2^53', 'createdAtMs', new Uint8Array(8).fill(255)],
    ['a time to run in 4 bytes', 'runAtMs', u32(5)],
    ['an expiry over 2^53', 'expiresAtMs', new Uint8Array(8).fill(255)],
    ['a priority of 0', 'priority', Uint8Array.of(0)],
    ['a priority of 6', 'priority', Uint8Array.of(6)],
    ['a priority in 2 bytes', 'priority', Uint8Array.of(0, 3)],
    ['an empty tag between two', 'tags', utf8('a\n\nb')],
    ['a tag with a space', 'tags', utf8('a b')],
    ['a tag that is not ASCII', 'tags', utf8('grün')],
    ['a tag that is too long', 'tags', utf8('x'.repeat(limits.tagBytesMax + 1))],
    ['more tags than allowed', 'tags', utf8('x\n'.repeat(limits.tagsMax).concat('x'))],
    ['a park key with a line break', 'parkKey', utf8('a\nb')],
    ['a park key that is too long', 'parkKey', utf8('x'.repeat(limits.keyBytesMax + 1))],
    ['a reference of 39 bytes', 'bodyRef', new Uint8Array(39)],
    ['a body and a reference to one', 'bodyRef', new Uint8Array(40)],
  ] as const)('is refused with %s', (_, name, value) => {
    expect(refusalOf(changed(jobFields[name].tag, value)).code).toBe('BAD_JOB');
  });

  it('with a field under its number but without its mark, or with another, may not come in', () => {
    for (const [name, { tag }] of Object.entries(jobFields)) {
      const other = tag ^ 0x8000;
      const encoded = changed(other, new Uint8Array(4));
      const message = expect.stringContaining(name);
      expect(refusalOf(encoded, checkNewJob), name).toEqual({ code: 'BAD_JOB', message });
      // What was accepted before is read on: an unmarked field that nobody knows is passed on.
      if ((other & 0x8000) === 0) expect(decodeJob(encoded)).toEqual(job);
    }
    const whole = encodeJob(job, crc32);
    expect(checkNewJob(whole)).toEqual(decodeJobCore(whole));
    const { bodyBytes, ...core } = decodeJobCore(whole);
    expect(decodeJob(whole)).toMatchObject(core);
    expect(decodeJob(whole).body).toHaveLength(bodyBytes);
  });

  it('has nothing where a field is there and empty that may be missing', () => {
    for (const name of ['agent', 'agentDigest', 'source', 'tags', 'parkKey'] as const) {
      const decoded = decodeJob(changed(jobFields[name].tag, new Uint8Array(0)));
      expect(decoded[name]).toHaveLength(0);
    }
  });

  it('is refused with a field twice', () => {
    const fields = [...fieldsOf(encodeJob(job, crc32))];
    const refusal = refusalOf(assembled([...fields, ...fields.slice(0, 1)]));
    expect(refusal).toEqual({ code: 'BAD_JOB', message: expect.stringContaining('twice') });
  });

  it('may have a body of the limit and not one byte more', () => {
    const body = new Uint8Array(limits.jobBodyBytesMax);
    expect(decodeJob(encodeJob({ ...job, body }, crc32)).body.length).toBe(body.length);
    const larger = new Uint8Array(limits.jobBodyBytesMax + 1);
    expect(refusalOf(encodeJob({ ...job, body: larger }, crc32)).code).toBe('JOB_TOO_LARGE');
    const largest = new Uint8Array(limits.jobBytesMax);
    expect(refusalOf(encodeJob({ ...job, body: largest }, crc32)).code).toBe('JOB_TOO_LARGE');
  });

  it('may refer to a body of the limit of blobs and not one byte more', () => {
    const sha256 = new Uint8Array(32).fill(5);
    const referring = (totalBytes: number) =>
      encodeJob({ ...job, body: new Uint8Array(0), bodyRef: { sha256, totalBytes } }, crc32);
    const { bodyRef } = decodeJob(referring(limits.blobBytesMax));
    expect(bodyRef).toEqual({ sha256, totalBytes: limits.blobBytesMax });
    expect(refusalOf(referring(limits.blobBytesMax + 1)).code).toBe('JOB_TOO_LARGE');
  });

  it('has no byte for what it leaves at its default', () => {
    const plain = fieldsOf(encodeJob({ ...job, ...plainJob }, crc32));
    const names = ['delayMs', 'runAtMs', 'expiresAtMs', 'priority', 'tags', 'parkKey', 'bodyRef'];
    const tags = names.map((name) => jobFields[name as keyof typeof jobFields].tag);
    expect(tags.filter((tag) => plain.has(tag))).toEqual([]);
  });

  it('may not carry in its other fields what only the body may be', () => {
    const source = 'x'.repeat(limits.jobBytesMax - limits.jobBodyBytesMax);
    expect(refusalOf(encodeJob({ ...job, source }, crc32)).code).toBe('JOB_TOO_LARGE');
    expect(decodeJob(encodeJob({ ...job, source: source.slice(400) }, crc32)).source).toMatch(/x+/);
  });
});

describe('a queue name', () => {
  it.each(['a', 'summarize', 'a-b_c.d9', '7', 'a'.repeat(limits.queueNameBytesMax)])(
    'may be %s',
    (name) => expect(isQueueName(name)).toBe(true),
  );

  it.each(['', '-a', 'a-', 'a--b', 'A', 'ä', 'a b', 'a/b', '..', 'a\n', 'a'.repeat(129)])(
    'may not be %j',
    (name) => expect(isQueueName(name)).toBe(false),
  );
});

describe('a tag and a key', () => {
  it.each(['a', 'mill:7', 'Q3/2026', '~!"', 'x'.repeat(limits.tagBytesMax)])(
    'may be %s',
    (text) => {
      expect([isTag(text), isKey(text)]).toEqual([true, true]);
    },
  );

  it.each(['', ' ', 'a b', 'a\n', '\t', 'ä', '\u007f', 'x'.repeat(limits.keyBytesMax + 1)])(
    'may not be %j',
    (text) => expect([isTag(text), isKey(text)]).toEqual([false, false]),
  );

  it('differ in length: a key may be longer', () => {
    const text = 'x'.repeat(limits.keyBytesMax);
    expect([isTag(text), isKey(text)]).toEqual([false, true]);
  });
});
