/** Lists and the small formats of ages, times and sizes. */

import { expect, test } from 'vitest';
import {
  displayWidth,
  formatAge,
  formatBytes,
  formatElapsed,
  formatTable,
} from '../../../core/cli/table.ts';

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
