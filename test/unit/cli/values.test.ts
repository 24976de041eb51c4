/** The small languages of flag values. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  parseAssignment,
  parseCount,
  parseDuration,
  readAt,
  readDataObject,
} from '../../../core/cli/input/values.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aiq-values-'));
});
afterAll(() => rm(dir, { recursive: true }));

test('durations are read with their unit', () => {
  expect(
    ['250ms', '90s', '5m', '1h', '1.5s'].map((text) => parseDuration('--timeout', text)),
  ).toEqual([250, 90_000, 300_000, 3_600_000, 1500]);
});

test.each(['5', '', 's', '0s', '-1s', '5 m', '1d', 'Infinitys'])(
  'the duration %j is refused as a usage error',
  (text) => {
    expect(() => parseDuration('--timeout', text)).toThrow(
      expect.objectContaining({ exit: 'usage', message: expect.stringContaining('--timeout') }),
    );
  },
);

test('counts are whole numbers within bounds', () => {
  expect(parseCount('--limit', '12', 100)).toBe(12);
  for (const text of ['0', '101', '1.5', '-3', 'ten', '', '1e2']) {
    expect(() => parseCount('--limit', text, 100)).toThrow(/--limit/);
  }
});

describe('--set', () => {
  test('takes text after = and JSON after :=', () => {
    expect(parseAssignment('style=prose')).toEqual({ property: 'style', text: 'prose' });
    expect(parseAssignment('points:=7')).toEqual({ property: 'points', value: 7 });
    expect(parseAssignment('x:=null')).toEqual({ property: 'x', value: null });
  });

  test('keeps further = in the text, and an empty text', () => {
    expect(parseAssignment('q=a=b:=c')).toEqual({ property: 'q', text: 'a=b:=c' });
    expect(parseAssignment('q=')).toEqual({ property: 'q', text: '' });
  });

  test.each(['style', '=x', ':=1', ''])('refuses %j as a usage error', (text) => {
    expect(() => parseAssignment(text)).toThrow(expect.objectContaining({ exit: 'usage' }));
  });

  test('refuses bad JSON as bad input', () => {
    expect(() => parseAssignment('x:={')).toThrow(expect.objectContaining({ exit: 'invalid' }));
  });
});

describe('@ values', () => {
  test('read a file, or are themselves', async () => {
    await writeFile(join(dir, 'a.txt'), 'from file');
    expect(await readAt(`@${join(dir, 'a.txt')}`, 100)).toBe('from file');
    expect(await readAt('plain', 100)).toBe('plain');
    expect(await readAt('@@x', 100)).toBe('@x');
  });

  test('--data must be a JSON object', async () => {
    await writeFile(join(dir, 'd.json'), '{"a": 1}');
    expect(await readDataObject(`@${join(dir, 'd.json')}`, 100)).toEqual({ a: 1 });
    await expect(readDataObject('[1]', 100)).rejects.toMatchObject({ exit: 'invalid' });
    await expect(readDataObject('{', 100)).rejects.toThrow(/--data is not JSON/);
  });
});
