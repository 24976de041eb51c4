/** The small languages of flag values. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  parseAssignment,
  parseCount,
  parseMoment,
  parseSize,
  readAt,
  readDataObject,
  readDuration,
} from '../../../../core/cli/input/values.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aiq-values-'));
});
afterAll(() => rm(dir, { recursive: true }));

test('durations are read with their unit', () => {
  expect(
    ['250ms', '90s', '5m', '1h', '2d', '1.5s'].map((text) => readDuration('--timeout', text)),
  ).toEqual([250, 90_000, 300_000, 3_600_000, 172_800_000, 1500]);
});

test.each(['5', '', 's', '0s', '-1s', '5 m', '1w', 'Infinitys'])(
  'the duration %j is refused as a usage error',
  (text) => {
    expect(() => readDuration('--timeout', text)).toThrow(
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

describe('a moment', () => {
  const nowMs = Date.parse('2026-11-22T12:00:00Z');
  const ahead = { nowMs, durations: 'ahead' } as const;

  test('is a duration from now on, or back from now', () => {
    expect(parseMoment('--run-at', '10m', ahead)).toBe(nowMs + 600_000);
    expect(parseMoment('--since', '2d', { nowMs, durations: 'ago' })).toBe(nowMs - 172_800_000);
  });

  test('is an ISO time, in its zone or in ours', () => {
    const at = (text: string): number => parseMoment('--run-at', text, ahead);
    expect(at('2026-11-30T08:00:00Z')).toBe(Date.UTC(2026, 10, 30, 8));
    expect(at('2026-11-30T08:00:00+02:00')).toBe(Date.UTC(2026, 10, 30, 6));
    expect(at('2026-11-30T08:00')).toBe(new Date(2026, 10, 30, 8).getTime());
    expect(at('2026-11-30')).toBe(new Date(2026, 10, 30).getTime());
  });

  test.each([
    '',
    'soon',
    '10',
    '-5m',
    '2026',
    '2026-13-01',
    '2026-11-30T25:00',
    '30.11.2026',
    '0m',
  ])('is not %j', (text) => {
    expect(() => parseMoment('--run-at', text, ahead)).toThrow(
      expect.objectContaining({ exit: 'usage', message: expect.stringContaining('--run-at') }),
    );
  });
});

test('sizes are read with their unit, and refused without sense', () => {
  expect(['1', '4096', '2KiB', '500MiB', '3GiB'].map((text) => parseSize('--max', text))).toEqual([
    1,
    4096,
    2048,
    500 * 1024 ** 2,
    3 * 1024 ** 3,
  ]);
  for (const text of ['', '0', '-1', '1.5MiB', '5MB', 'many', '99999999TiB']) {
    expect(() => parseSize('--max', text), text).toThrow(/--max/);
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
