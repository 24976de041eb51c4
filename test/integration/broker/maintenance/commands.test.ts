/** `aiq broker verify`, `backup`, `restore` and `salvage` as a person runs them. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Finished, Project } from '../../../support/project.ts';

let project: Project;

beforeAll(async () => {
  project = await Project.make();
  await project.write('aiq.config.yaml', 'provider: offline\n');
  for (const text of ['One.', 'Two.', 'Three.']) {
    const added = await project.aiq('enqueue', 'summarize', '--text', text);
    expect(added.code, added.stderr).toBe(0);
  }
});

afterAll(async () => {
  await project.remove();
});

const broker = (...args: string[]): Promise<Finished> => project.aiq('broker', ...args);

/** Damages the log in a folder of the project, in the middle of its first batch. */
function damage(folder: string): void {
  const path = join(project.dir, folder, 'log', '0000000001.log');
  const bytes = readFileSync(path);
  bytes[96 + 70] = (bytes[96 + 70] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

test('verify tells of a running broker what its log holds', async () => {
  const { code, stdout, stderr } = await broker('verify');
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^log {6}\S+\/\.aiq\/log: .* segments: 1, batches: \d+$/m);
  expect(stdout).toMatch(/^records {2}\d+, numbers 1 to \d+$/m);
  expect(stdout).toMatch(/^jobs {5}3 to do, 0 dead, 0 finished$/m);
  expect(stdout).toMatch(/^end {6}not closed: a broker is running/m);
});

test('a backup of a running broker is restored into another folder, and serves there', async () => {
  const backup = await broker('backup', 'backup');
  expect(backup.code, backup.stderr).toBe(0);
  expect(backup.stderr).toMatch(/the backup in \S+\/backup holds everything up to record \d+/);
  const verified = await broker('verify', 'backup', '--json');
  expect(JSON.parse(verified.stdout)).toMatchObject({ problems: [], jobs: { live: 3 } });
  const restored = await broker('restore', 'backup', '--dir', 'restored');
  expect(restored.code, restored.stderr).toBe(0);
  const listed = await project.aiq('jobs', 'list', '--json', '--broker', 'file:restored');
  expect(listed.stdout.trim().split('\n').length, listed.stderr).toBe(3);
  await project.aiq('broker', 'stop', '--broker', 'file:restored');
});

test('what cannot be done says why, changes nothing and has its exit code', async () => {
  const again = await broker('backup', '.');
  expect(again).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^error: \S+ is not empty/),
  });
  const over = await broker('restore', 'backup');
  expect(over).toMatchObject({ code: 2, stderr: expect.stringContaining('has a log already') });
  const nothing = await broker('verify', 'missing');
  expect(nothing).toMatchObject({ code: 2, stderr: expect.stringContaining('holds no segment') });
  const served = await broker('salvage', 'salvaged');
  expect(served).toMatchObject({ code: 75, stderr: expect.stringContaining('aiq broker stop') });
  expect(existsSync(join(project.dir, 'salvaged'))).toBe(false);
});

test('a damaged log is told by verify, refused by backup, and salvaged', async () => {
  await broker('backup', 'damaged');
  damage('damaged');
  const verified = await broker('verify', 'damaged');
  expect(verified.code).toBe(65);
  expect(verified.stdout).toMatch(
    /^damaged {2}\S+0000000001\.log: byte \d+: the bytes of a batch/m,
  );
  const copied = await broker('backup', 'copy', '--dir', 'damaged');
  expect(copied).toMatchObject({ code: 65, stderr: expect.stringContaining('Nothing was copied') });
  const restored = await broker('restore', 'damaged', '--dir', 'other');
  expect(restored).toMatchObject({ code: 65 });
  expect(existsSync(join(project.dir, 'other'))).toBe(false);
  const salvaged = await broker('salvage', 'salvaged', '--dir', 'damaged');
  expect(salvaged.code, salvaged.stderr).toBe(0);
  expect(salvaged.stdout).toMatch(/^salvage {2}kept \d+ records, lost [1-9]\d* \(\d+ bytes\)$/m);
  expect(await project.read('salvaged', 'loss-report.txt')).toMatch(/byte \d+: the bytes/);
  expect((await broker('verify', 'salvaged')).code).toBe(0);
});
