/** However often something is said, an operator reads a few lines of it, and how many there were. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NoticeLimit } from '../../../core/broker/notice-limit.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('the first ten of a kind in a minute are told, then their number, then again', () => {
  const told: string[] = [];
  const limit = new NoticeLimit((text) => told.push(text));
  for (let knock = 0; knock < 10_000; knock++) limit.add('refused logins', `login ${knock}`);
  expect(told).toEqual(Array.from({ length: 10 }, (_, knock) => `login ${knock}`));
  limit.add('sessions taken over', 'another kind');
  expect(told.at(-1)).toBe('another kind');
  vi.advanceTimersByTime(59_999);
  expect(told).toHaveLength(11);
  vi.advanceTimersByTime(1);
  expect(told.at(-1)).toBe('9990 more refused logins in the last 60 s');
  limit.add('refused logins', 'a minute later');
  expect(told.at(-1)).toBe('a minute later');
  expect(told).toHaveLength(13);
});

test('nothing is added where nothing was left out, and no timer is left', () => {
  const told: string[] = [];
  const limit = new NoticeLimit((text) => told.push(text));
  limit.add('refused logins', 'one');
  vi.advanceTimersByTime(120_000);
  expect(told).toEqual(['one']);
  expect(vi.getTimerCount()).toBe(0);
});
