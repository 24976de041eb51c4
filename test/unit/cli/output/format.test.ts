/** Lists and the small formats of ages, times and sizes. */

import { expect, test } from 'vitest';
import { formatReport } from '../../../../core/cli/errors.ts';
import {
  displayWidth,
  formatAge,
  formatBytes,
  formatElapsed,
  formatTable,
  oneLine,
} from '../../../../core/cli/output/format.ts';

const rows = [
  ['k3f9aa21', 'done', 'mill'],
  ['p0', 'cancelled', '資料'],
];

test('on a terminal columns line up by display width and keep their heading', () => {
  expect(formatTable(['ID', 'STATE', 'SOURCE'], [...rows, ['x', '資料資料', 'y']], 80)).toEqual([
    'ID        STATE      SOURCE',
    'k3f9aa21  done       mill',
    'p0        cancelled  資料',
    'x         資料資料   y',
  ]);
});

test('a line wider than the terminal ends in an ellipsis and fits', () => {
  const [, line = ''] = formatTable(['A', 'B'], [['資料資料', 'long enough to be cut']], 14);
  expect(line).toMatch(/…$/);
  expect(displayWidth(line)).toBeLessThanOrEqual(14);
});

test('in a pipe rows are tab-separated, whole and without a heading', () => {
  expect(formatTable(['A', 'B'], [['x'.repeat(300), 'y']], null)).toEqual([
    `${'x'.repeat(300)}\ty`,
  ]);
});

test('a cell cannot break its line or move the cursor', () => {
  expect(formatTable(['A', 'B'], [['a\nb\tc', '\u001b[31mred\u001b[0m\u009b2J']], null)).toEqual([
    'a b c\tred',
  ]);
});

test('a cell cannot turn the direction of what stands beside it, nor can the text of an error', () => {
  for (const mark of '\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069') {
    const said = `a${mark}b`;
    expect(formatTable(['A', 'B'], [[said, 'c']], null)).toEqual(['a b\tc']);
    const report = { exit: 'broker', message: `${said}\n${said}`, details: [said] } as const;
    expect(formatReport(report)).toEqual(['a b', '', '  a b', '  a b']);
  }
  expect(oneLine('الاسم שלום 資料')).toBe('الاسم שלום 資料');
});

test('ages show their largest unit', () => {
  expect([0, 999, 1000, 59_999, 60_000, 7_200_000, 3 * 86_400_000].map(formatAge)).toEqual([
    '0s',
    '0s',
    '1s',
    '59s',
    '1m',
    '2h',
    '3d',
  ]);
});

test('elapsed times and sizes read naturally', () => {
  expect([41.3, 1234, 200_000].map(formatElapsed)).toEqual(['41 ms', '1.2 s', '3 m 20 s']);
  expect([812, 14_541, 5 * 1024 ** 2].map(formatBytes)).toEqual(['812 bytes', '14.2 KiB', '5 MiB']);
});
