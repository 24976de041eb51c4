/**
 * A fresh clone on a machine whose Node is old, with the real npm and registry: `npm run demo` alone
 * must do. This is what a stranger does first, so nothing in it is replaced.
 */

import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filesBelow, root } from '../tidy/rules/repository.ts';
import { findOldNode } from './setup-clone.ts';

const oldNode = findOldNode();
const hasRegistry =
  spawnSync('npm', ['view', 'yaml', 'version', '--fetch-retries=0'], { timeout: 15_000 }).status ===
  0;

describe.skipIf(!hasRegistry)(
  'a fresh clone (left out: needs npm and a registry it can reach)',
  () => {
    const home = mkdtempSync(join(tmpdir(), 'aiq fresh clone '));
    const clone = join(home, 'aiq');

    beforeAll(() => {
      for (const path of filesBelow('.')) cpSync(join(root, path), join(clone, path));
    });
    afterAll(() => {
      rmSync(home, { recursive: true, force: true });
    });

    function npm(...args: string[]): SpawnSyncReturns<string> {
      const path = [...(oldNode === null ? [] : [dirname(oldNode)]), process.env['PATH']];
      const env = { PATH: path.join(delimiter), HOME: process.env['HOME'], NO_COLOR: '1' };
      return spawnSync('npm', args, { cwd: clone, env, encoding: 'utf8' });
    }

    test('runs the demo with one command, with runtime packages only, and leaves nothing running', () => {
      const { status, stdout, stderr } = npm('run', 'demo');
      expect({ status, stdout, stderr }).toMatchObject({ status: 0 });
      expect(filesOf('out').length).toBeGreaterThan(0);
      expect(existsSync(join(clone, '.node'))).toBe(oldNode !== null);
      expect(existsSync(join(clone, 'node_modules/vitest'))).toBe(false);
      expect(processesOf(clone)).toEqual([]);
    });

    test('runs it again without another set-up, and aiq works through npx', () => {
      const { status, stderr } = npm('run', 'demo');
      expect({ status, stderr }).toMatchObject({
        status: 0,
        stderr: expect.not.stringContaining('set-up:'),
      });
      const version = npm('exec', '--', 'aiq', '--version');
      const { version: expected } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
      expect({ status: version.status, stdout: version.stdout.trim() }).toEqual({
        status: 0,
        stdout: expected,
      });
      expect(readFileSync(join(clone, 'package-lock.json'), 'utf8')).toBe(
        readFileSync(join(root, 'package-lock.json'), 'utf8'),
      );
    });

    const filesOf = (folder: string): string[] =>
      readdirSync(join(clone, folder), { recursive: true, encoding: 'utf8' });
  },
);

/** Command lines of running processes that name the folder (Linux; elsewhere none are seen). */
function processesOf(folder: string): string[] {
  if (!existsSync('/proc/self/cmdline')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((commandLine) => commandLine.includes(folder));
}
