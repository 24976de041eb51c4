/** What was sent is kept as it was sent: every call, bounded, without the key and without secrets. */

import { expect, test } from 'vitest';
import type { ModelCall, Provider } from '../../../../core/model/index.ts';
import {
  packPrompts,
  readPrompts,
  SentCalls,
  unpackPrompts,
} from '../../../../core/runtime/attempt/prompts.ts';

const provider = (apiKey = 'none'): Provider => {
  return { name: 'test', kind: 'openai', baseURL: '', apiKey, defaultModel: 'm' };
};

const sentOf = (calls: readonly ModelCall[], secrets = new Set<string>(), apiKey = 'none') => {
  const sent = new SentCalls({ id: 'job1', attempt: 2 }, secrets);
  for (const one of calls) sent.add(provider(apiKey), one);
  return readPrompts(sent.text() ?? new Uint8Array(0));
};

const call = (content: string, parts: Partial<ModelCall> = {}): ModelCall => ({
  model: 'm',
  messages: [{ role: 'user', content }],
  options: { temperature: 0 },
  timeoutMs: 1,
  idleMs: 1,
  answerBytesMax: 1,
  ...parts,
});

test('every call is kept in order, and nothing where nothing was sent', () => {
  const sent = sentOf([call('one'), call('two', { responseSchema: { name: 's', schema: {} } })]);
  expect(sent).toMatchObject({ version: 1, jobId: 'job1', dropped: 0 });
  expect(sent.calls).toMatchObject([
    { attempt: 2, provider: 'test', model: 'm', options: { temperature: 0 }, responseSchema: null },
    { responseSchema: 's', messages: [{ role: 'user', content: 'two' }] },
  ]);
  expect(new SentCalls({ id: 'job1', attempt: 1 }, new Set()).text()).toBeNull();
});

test('those of earlier attempts come before, the newest twenty in all', () => {
  const first = new SentCalls({ id: 'job1', attempt: 1 }, new Set());
  for (let index = 0; index < 15; index++) first.add(provider(), call(`first ${index}`));
  const second = new SentCalls({ id: 'job1', attempt: 2 }, new Set());
  second.follow(first.text());
  for (let index = 0; index < 10; index++) second.add(provider(), call(`second ${index}`));
  const { calls, dropped } = readPrompts(second.text() ?? new Uint8Array(0));
  expect(calls.map(({ attempt }) => attempt)).toEqual([
    ...Array.from({ length: 10 }, () => 1),
    ...Array.from({ length: 10 }, () => 2),
  ]);
  expect(dropped).toBe(5);
});

test('the newest twenty calls are kept, and how many were dropped', () => {
  const sent = sentOf(Array.from({ length: 23 }, (_, index) => call(`call ${index}`)));
  expect(sent.dropped).toBe(3);
  expect(sent.calls.map(({ messages }) => messages[0]?.content)).toEqual(
    Array.from({ length: 20 }, (_, index) => `call ${index + 3}`),
  );
});

test('all of it stays bounded, and a content that is cut says so', () => {
  const long = 'x'.repeat(1024 * 1024 + 5);
  const sent = sentOf(Array.from({ length: 6 }, () => call(long)));
  expect(sent.calls.length).toBeLessThan(5);
  expect(sent.dropped).toBe(6 - sent.calls.length);
  expect(sent.calls.at(-1)?.messages[0]?.content).toMatch(/x\n\[5 more characters were sent\]$/);
});

test('much text is compressed, and little is the text itself', () => {
  const packed = ['x'.repeat(10_000), 'x'].map((content) => {
    const sent = new SentCalls({ id: 'job1', attempt: 1 }, new Set());
    sent.add(provider(), call(content));
    const text = sent.text() ?? new Uint8Array(0);
    const kept = packPrompts(text);
    expect(unpackPrompts(kept)).toEqual(text);
    return Buffer.from(kept);
  });
  expect(packed.map((bytes) => bytes.includes('"messages"'))).toEqual([false, true]);
  expect(packed[0]?.length).toBeLessThan(1_000);
});

test('the key of the provider is never in it', () => {
  const sent = sentOf([call('my key is sk-secret-1234, keep it')], new Set(), 'sk-secret-1234');
  expect(JSON.stringify(sent)).not.toContain('sk-secret-1234');
  expect(sent.calls[0]?.messages[0]?.content).toBe('my key is [key], keep it');
});

test('no secret input is kept, in whatever form it was sent', () => {
  const secrets = new Set(['S3cret "token" 99', 'four digits 4711']);
  const made = { id: 'c', name: 't', arguments: JSON.stringify({ a: 'S3cret "token" 99' }) };
  const messages: ModelCall['messages'] = [
    { role: 'system', content: 'It is S3cret "token" 99, or S3CRET "TOKEN" 99.' },
    { role: 'user', content: JSON.stringify({ token: 'S3cret "token" 99' }, null, 2) },
    { role: 'assistant', content: 'four digits 4711', toolCalls: [made] },
  ];
  const sent = sentOf([call('', { messages })], secrets);
  expect(JSON.stringify(sent)).not.toMatch(/s3cret|4711/i);
  expect(sent.calls[0]?.messages[0]?.content).toBe('It is [secret], or [secret].');
});

test('what is damaged is no prompt', () => {
  expect(() => readPrompts(Buffer.from('half'))).toThrow();
});
