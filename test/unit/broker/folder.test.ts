import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { prepareFolder } from '../../../core/broker/folder.ts';

const root = mkdtempSync(join(tmpdir(), 'aiq-folder-'));
const isRoot = process.getuid?.() === 0;
const nobody = 65_534;

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

describe('preparing the folder of a broker', () => {
  test('makes it and what is missing above it, closed to others', () => {
    const dir = join(root, 'a', 'b', '.aiq');
    prepareFolder(dir);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    prepareFolder(dir);
  });

  test('ends with an error where no folder can be made', () => {
    expect(() => prepareFolder('/proc/aiq-test/.aiq')).toThrow(/takes no new folders/);
  });

  test.skipIf(!isRoot)(
    'refuses the folder of another user before it touches anything (run as root)',
    () => {
      const dir = join(root, 'theirs');
      mkdirSync(dir, { mode: 0o755 });
      chownSync(dir, nobody, nobody);
      expect(() => prepareFolder(dir)).toThrow(/belongs to another user/);
      expect([statSync(dir).mode & 0o777, readdirSync(dir)]).toEqual([0o755, []]);
    },
  );
});
