/** What was sent is kept as it was sent: every call, bounded, without the key, for its owner alone. */

import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ModelCall } from '../../../../core/model/index.ts';
import { keepPrompt, readPrompts, type Sender } from '../../../../core/runtime/attempt/prompts.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aiq-prompts-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

const sender = (attempt = 1, apiKey = 'none'): Sender => ({
  dir,
  jobId: 'job1',
  attempt,
  provider: { name: 'test', kind: 'openai', baseURL: '', apiKey, defaultModel: 'm' },
  secrets: new Set(),
});

const call = (content: string, parts: Partial<ModelCall> = {}): ModelCall => ({
  model: 'm',
  messages: [{ role: 'user', content }],
  options: { temperature: 0 },
  timeoutMs: 1,
  idleMs: 1,
  answerBytesMax: 1,
  ...parts,
});

test('every call is kept in order, over attempts', async () => {
  await keepPrompt(sender(1), call('one'));
  await keepPrompt(sender(2), call('two', { responseSchema: { name: 's', schema: {} } }));
  const sent = await readPrompts(dir, 'job1');
  expect(sent).toMatchObject({ version: 1, jobId: 'job1', dropped: 0 });
  expect(sent?.calls).toMatchObject([
    { attempt: 1, provider: 'test', model: 'm', options: { temperature: 0 }, responseSchema: null },
    { attempt: 2, responseSchema: 's', messages: [{ role: 'user', content: 'two' }] },
  ]);
  expect(await readdir(join(dir, '.aiq', 'prompts'))).toEqual(['job1.json']);
});

test('the newest twenty calls are kept, and how many were dropped', async () => {
  for (let index = 0; index < 23; index++) await keepPrompt(sender(), call(`call ${index}`));
  const sent = await readPrompts(dir, 'job1');
  expect(sent?.dropped).toBe(3);
  expect(sent?.calls.map(({ messages }) => messages[0]?.content)).toEqual(
    Array.from({ length: 20 }, (_, index) => `call ${index + 3}`),
  );
});

test('the file stays bounded, and a content that is cut says so', async () => {
  const long = 'x'.repeat(1024 * 1024 + 5);
  for (let index = 0; index < 6; index++) await keepPrompt(sender(), call(long));
  const sent = await readPrompts(dir, 'job1');
  expect(sent?.calls.length).toBeLessThan(5);
  expect(sent?.calls.at(-1)?.messages[0]?.content).toMatch(/x\n\[5 more characters were sent\]$/);
  expect((await stat(join(dir, '.aiq/prompts/job1.json'))).size).toBeLessThan(5 * 1024 * 1024);
});

test('the key of the provider is never in it, and only the owner may read it', async () => {
  await keepPrompt(sender(1, 'sk-secret-1234'), call('my key is sk-secret-1234, keep it'));
  const file = join(dir, '.aiq/prompts/job1.json');
  const text = await readFile(file, 'utf8');
  expect(text).not.toContain('sk-secret-1234');
  expect(text).toContain('my key is [key], keep it');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('a damaged file is no reason to fail, and a folder that cannot be written is', async () => {
  await keepPrompt(sender(), call('one'));
  await writeFile(join(dir, '.aiq/prompts/job1.json'), '{half');
  await expect(readPrompts(dir, 'job1')).rejects.toThrow();
  await keepPrompt(sender(), call('two'));
  expect((await readPrompts(dir, 'job1'))?.calls).toHaveLength(1);
  await rm(join(dir, '.aiq'), { recursive: true });
  await writeFile(join(dir, '.aiq'), '');
  await expect(keepPrompt(sender(), call('three'))).rejects.toMatchObject({
    failure: 'transient',
    code: 'output_io',
  });
});

test('a link in the place of the file is replaced, never followed', async () => {
  await keepPrompt(sender(), call('one'));
  const outside = join(dir, 'outside.txt');
  await writeFile(outside, 'mine');
  await rm(join(dir, '.aiq/prompts/job1.json'));
  await symlink(outside, join(dir, '.aiq/prompts/job1.json'));
  await keepPrompt(sender(), call('two'));
  expect(await readFile(outside, 'utf8')).toBe('mine');
});

test('an id that is no file name reads and writes nothing', async () => {
  await expect(readPrompts(dir, '../../etc')).rejects.toThrow('not a job id');
  await expect(keepPrompt({ ...sender(), jobId: '../x' }, call('one'))).rejects.toThrow();
  expect(await readPrompts(dir, 'job2')).toBeNull();
});

test('no secret input is kept, in whatever form it was sent', async () => {
  const secrets = new Set(['S3cret "token" 99', 'four digits 4711']);
  const made = { id: 'c', name: 't', arguments: JSON.stringify({ a: 'S3cret "token" 99' }) };
  const messages: ModelCall['messages'] = [
    { role: 'system', content: 'It is S3cret "token" 99, or S3CRET "TOKEN" 99.' },
    { role: 'user', content: JSON.stringify({ token: 'S3cret "token" 99' }, null, 2) },
    { role: 'assistant', content: 'four digits 4711', toolCalls: [made] },
  ];
  await keepPrompt({ ...sender(), secrets }, call('', { messages }));
  const text = await readFile(join(dir, '.aiq', 'prompts', 'job1.json'), 'utf8');
  expect(text).not.toMatch(/s3cret|4711/i);
  expect((await readPrompts(dir, 'job1'))?.calls[0]?.messages[0]?.content).toBe(
    'It is [secret], or [secret].',
  );
});
