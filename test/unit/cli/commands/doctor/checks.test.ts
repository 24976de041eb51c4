/** The checks of `aiq doctor` that a test cannot provoke from outside. */

import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  checkClock,
  checkDisk,
  nearestFolder,
} from '../../../../../core/cli/commands/doctor/machine.ts';

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'aiq-checks-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

test('a clock that is behind the files is told with the file; without files it is fine', () => {
  const file = join(folder(), 'later');
  writeFileSync(file, '');
  const now = Date.parse('2026-11-22T12:00:00Z');
  utimesSync(file, new Date(now + 7_200_000), new Date(now + 7_200_000));
  expect(checkClock([file], now)).toMatchObject({
    status: 'warn',
    found: `2026-11-22T12:00:00.000Z, but ${file} is from 2h later`,
  });
  utimesSync(file, new Date(now + 60_000), new Date(now + 60_000));
  expect(checkClock([file, `${file}.missing`], now).status).toBe('ok');
});

test('room is looked for where a folder would be made', async () => {
  const dir = folder();
  const deep = join(dir, 'a', 'b');
  expect(nearestFolder(deep)).toBe(dir);
  const check = await checkDisk('disk', deep);
  expect(check.found).toMatch(new RegExp(`^[\\d.]+ [KMG]iB free for ${deep}$`));
});
