/** Who a job is: the same content is the same job, and nothing else is. */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  canonicalJson,
  isId,
  type JobIdentity,
  type NewJob,
  newJob,
  readJobBody,
} from '../../../core/job-queue/index.ts';

const content = { agent: 'summarize', agentDigest: 'ab'.repeat(32), input: { a: 1, b: [2] } };

/** The id of a job of this content. */
function jobIdOf(of: Partial<NewJob>, identity?: JobIdentity): string {
  return newJob({ ...content, queue: 'q', ...of, identity }).id;
}

function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, shuffled(inner)] as const);
  return Object.fromEntries(entries.reverse());
}

test('canonical text is JSON of the same value, whatever the order of keys', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      expect(canonicalJson(shuffled(value))).toBe(canonicalJson(value));
    }),
  );
});

test('the body has the input as JSON has it, in its own order', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (input) => {
      const { body } = newJob({ ...content, queue: 'q', input });
      expect(new TextDecoder().decode(body)).toBe(JSON.stringify({ input }));
    }),
  );
});

test('canonical text tells values apart', () => {
  const texts = [1, '1', true, 'true', null, 'null', [], {}, [[]], { a: [] }, { a: {} }];
  expect(new Set(texts.map(canonicalJson)).size).toBe(texts.length);
  expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}');
});

test('what is no JSON value is refused', () => {
  for (const value of [undefined, () => 1, Number.NaN, [1n], { a: Number.POSITIVE_INFINITY }]) {
    expect(() => canonicalJson(value)).toThrow(TypeError);
  }
});

test('the same content has the same id, and any change another', () => {
  const id = jobIdOf(content);
  expect(isId(id)).toBe(true);
  expect(jobIdOf({ ...content, input: { b: [2], a: 1 } })).toBe(id);
  const others = [
    { ...content, agentDigest: 'cd'.repeat(32) },
    { ...content, input: { a: 1, b: [3] } },
    { ...content, outputDir: '/out' },
  ];
  expect(new Set([id, ...others.map((other) => jobIdOf(other))]).size).toBe(4);
});

test('a key decides alone, for each agent by itself', () => {
  const id = jobIdOf(content, { key: 'monday' });
  expect(jobIdOf({ ...content, input: 7, agentDigest: '00' }, { key: 'monday' })).toBe(id);
  expect(jobIdOf({ ...content, agent: 'other' }, { key: 'monday' })).not.toBe(id);
  expect(jobIdOf(content, { key: 'tuesday' })).not.toBe(id);
});

test('random ids are new each time', () => {
  const ids = Array.from({ length: 100 }, () => jobIdOf(content, { random: true }));
  expect(new Set(ids).size).toBe(100);
});

test('a job carries its input as it was given and a digest of its content', () => {
  const job = newJob({ ...content, queue: 'q', input: { z: 'ü', a: 1 }, outputDir: '/out' });
  expect(new TextDecoder().decode(job.body)).toBe('{"input":{"z":"ü","a":1},"outputDir":"/out"}');
  expect(readJobBody(job)).toEqual({ input: { z: 'ü', a: 1 }, outputDir: '/out' });
  expect(job.digest).toHaveLength(16);
  expect(job.agentDigest).toEqual(new Uint8Array(32).fill(0xab));
  const elsewhere = newJob({
    ...content,
    queue: 'other',
    input: { z: 'ü', a: 1 },
    outputDir: '/out',
  });
  expect(elsewhere.digest).not.toEqual(job.digest);
});

test('a body that newJob did not make is refused', () => {
  for (const text of ['', '{', '7', 'null', '{}', '{"input":1,"outputDir":7}']) {
    const body = new TextEncoder().encode(text);
    expect(() => readJobBody({ body })).toThrow(expect.objectContaining({ code: 'BAD_JOB' }));
  }
});
