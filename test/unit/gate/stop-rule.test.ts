/** When the rest of a batch waits: rules as people write them, and what meets them. */

import { describe, expect, test } from 'vitest';
import { parseStopRule, stopReason } from '../../../core/gate/index.ts';

function stops(text: string, tried: number, failed: number, cause: string | null = null): boolean {
  const rule = parseStopRule(text);
  if (rule === null) throw new Error(`${text} is no rule`);
  return stopReason(rule, { tried, failed, cause }) !== null;
}

describe('a rule', () => {
  test.each([
    ['failures > 5%', { by: 'percent', percentMax: 5 }],
    ['failures>0.5 %', { by: 'percent', percentMax: 0.5 }],
    ['5%', { by: 'percent', percentMax: 5 }],
    ['failures > 12', { by: 'count', failuresMax: 12 }],
    [' 12 ', { by: 'count', failuresMax: 12 }],
    ['0', { by: 'count', failuresMax: 0 }],
    ['never', { by: 'never' }],
    ['', { by: 'default' }],
  ])('%j is read', (text, rule) => {
    expect(parseStopRule(text)).toEqual(rule);
  });

  test.each(['x', 'failures', 'failures < 5', '100%', '-1', '1.5', '5 % %', '1e3', '12345678901'])(
    '%j is none',
    (text) => {
      expect(parseStopRule(text)).toBeNull();
    },
  );
});

describe('a batch stops', () => {
  test('by itself where the first twenty that were tried failed of one cause', () => {
    expect(stops('', 19, 19, 'bad')).toBe(false);
    expect(stops('', 20, 20, 'bad')).toBe(true);
    expect(stops('', 21, 20, 'bad')).toBe(false);
    expect(stops('', 20, 20, null)).toBe(false);
    expect(stops('never', 500, 500, 'bad')).toBe(false);
  });

  test('after more failures than its rule allows', () => {
    expect([stops('3', 3, 3), stops('3', 4, 4)]).toEqual([false, true]);
    expect([stops('0', 1, 0), stops('0', 1, 1)]).toEqual([false, true]);
    expect([stops('5%', 19, 19), stops('5%', 20, 1)]).toEqual([false, false]);
    expect([stops('5%', 100, 5), stops('5%', 100, 6)]).toEqual([false, true]);
  });

  test('and says of what', () => {
    const rule = parseStopRule('3') ?? { by: 'never' };
    const outcomes = { tried: 9, failed: 4, cause: 'output_invalid' };
    expect(stopReason(rule, outcomes)).toBe(
      '4 jobs failed, and more than 3 are too many: output_invalid',
    );
  });
});
