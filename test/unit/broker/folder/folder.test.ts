/** The folder of a broker: what is made, what is refused with which fix, and whose it stays. */

import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  readOrMakeToken,
  removeEndpoints,
  writeEndpoints,
} from '../../../../core/broker/folder/folder.ts';
import { FolderLockedError } from '../../../../core/broker/folder/folder-lock.ts';
import { HeldFolder, heldDisk } from '../../../../core/broker/folder/held-folder.ts';
import { createFile, nodeDisk, replaceFile } from '../../../../core/broker/log/disk/disk.ts';

const isRoot = process.getuid?.() === 0;
const nobody = 65_534;

let root: string;
let dir: string;
let held: HeldFolder[];
let notices: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'aiq-folder-'));
  dir = join(root, '.aiq');
  held = [];
  notices = [];
});

afterEach(() => {
  for (const folder of held) folder.release();
  rmSync(root, { recursive: true, force: true });
});

function take(path = dir): HeldFolder {
  const folder = HeldFolder.take(path, (text) => notices.push(text));
  held.push(folder);
  return folder;
}

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

describe('taking the folder', () => {
  test('makes it and what is missing above it, closed to others', () => {
    const deep = join(root, 'a', 'b', '.aiq');
    take(deep).release();
    expect(modeOf(deep)).toBe('700');
    take(deep);
    expect(notices).toEqual([]);
  });

  test('ends with an error where no folder can be made', () => {
    expect(() => take('/proc/aiq-test/.aiq')).toThrow(/takes no new folders/);
  });

  test.skipIf(!isRoot)(
    'refuses the folder of another user before it touches anything (run as root)',
    () => {
      mkdirSync(dir, { mode: 0o755 });
      chownSync(dir, nobody, nobody);
      expect(() => take()).toThrow(/belongs to another user/);
      expect([modeOf(dir), readdirSync(dir)]).toEqual(['755', []]);
    },
  );

  test('refuses a link, and leaves what it leads to as it is', () => {
    const target = join(root, 'documents');
    mkdirSync(target, { mode: 0o755 });
    symlinkSync(target, dir);
    expect(() => take()).toThrow(/it is a link to .*documents; name the folder itself/);
    expect([modeOf(target), readdirSync(target)]).toEqual(['755', []]);
  });

  test.each([
    ['is empty', []],
    ['is a copy of one of a broker', ['lock', 'log']],
    ['holds what its starter wrote', ['broker.log']],
  ])('closes one that others may enter and that %s, and says so', (_, names) => {
    mkdirSync(dir);
    for (const name of names) writeFileSync(join(dir, name), '');
    chmodSync(dir, 0o755);
    take();
    expect(modeOf(dir)).toBe('700');
    expect(notices).toEqual([`closed ${dir} to other users: its mode was 755 and is 700 now`]);
  });

  test('refuses one that others may enter and that holds something else', () => {
    mkdirSync(dir);
    writeFileSync(join(dir, 'index.html'), '');
    chmodSync(dir, 0o755);
    expect(() => take()).toThrow(/other users may enter .*\(mode 755\).*chmod 700/);
    expect([modeOf(dir), readdirSync(dir)]).toEqual(['755', ['index.html']]);
  });
});

describe('the lock', () => {
  test('is held by one at a time, and writes nothing', () => {
    take();
    expect(() => take()).toThrow(FolderLockedError);
    expect(readdirSync(dir)).toEqual(['lock']);
    expect(statSync(join(dir, 'lock')).size).toBe(0);
  });

  test('names itself and the fix when it is damaged or no file', () => {
    mkdirSync(dir, { mode: 0o700 });
    writeFileSync(join(dir, 'lock'), 'garbage'.repeat(1000));
    expect(() => take()).toThrow(/\.aiq\/lock cannot be locked \(.*\); .*remove it/);
    rmSync(join(dir, 'lock'));
    mkdirSync(join(dir, 'lock'));
    expect(() => take()).toThrow(/\.aiq\/lock cannot be locked \(.*\); check/);
  });
});

describe('a held folder', () => {
  const content = [Buffer.from('ours')];

  /** Puts a new folder with a file of the same names in its place. */
  function swap(): void {
    renameSync(dir, `${dir}.old`);
    mkdirSync(dir, { mode: 0o700 });
    for (const name of ['endpoints.json', 'file', 'lock']) writeFileSync(join(dir, name), 'theirs');
  }

  function expectTheirs(): void {
    expect(readdirSync(dir).toSorted()).toEqual(['endpoints.json', 'file', 'lock']);
    for (const name of readdirSync(dir)) {
      expect(readFileSync(join(dir, name), 'utf8')).toBe('theirs');
    }
  }

  test.each<[string, (folder: HeldFolder) => unknown]>([
    ['a file placed', (folder) => replaceFile(heldDisk(nodeDisk, folder), dir, 'file', content)],
    ['a new file', (folder) => createFile(heldDisk(nodeDisk, folder), dir, 'new', content)],
    ['a file made', (folder) => heldDisk(nodeDisk, folder).create(join(dir, 'file'))],
    ['a file opened', (folder) => heldDisk(nodeDisk, folder).open(join(dir, 'file'))],
    ['a file removed', (folder) => heldDisk(nodeDisk, folder).remove(join(dir, 'file'))],
    ['a folder made', (folder) => heldDisk(nodeDisk, folder).makeDir(join(dir, 'log'))],
    ['the free space asked', (folder) => heldDisk(nodeDisk, folder).space(dir)],
    ['endpoints removed', (folder) => removeEndpoints(folder, null)],
  ])('that was replaced has nothing more changed in its place: %s', async (_, act) => {
    const folder = take();
    swap();
    await expect((async () => act(folder))()).rejects.toThrow(/was replaced while its broker ran/);
    expectTheirs();
  });

  test.each<[string, () => void, RegExp]>([
    ['moved away', () => renameSync(dir, `${dir}.old`), /was moved away or removed/],
    ['removed', () => rmSync(dir, { recursive: true }), /was moved away or removed/],
    ['emptied', () => rmSync(join(dir, 'lock')), /lock was moved away or removed/],
    ['replaced', swap, /\.aiq was replaced/],
    ['given another lock', () => renameSync(join(dir, 'file'), join(dir, 'lock')), /lock was repl/],
  ])('that was %s is noticed', (_, change, message) => {
    const folder = take();
    writeFileSync(join(dir, 'file'), '');
    folder.check();
    change();
    expect(() => folder.check()).toThrow(message);
  });

  test.runIf(process.platform === 'linux')(
    'that was moved away is still reached, by the names that its user knows (needs Linux)',
    async () => {
      const folder = take();
      const disk = heldDisk(nodeDisk, folder);
      const file = await replaceFile(disk, dir, 'file', content);
      swap();
      await file.write([Buffer.from('more')], 4);
      await file.close();
      expect(Buffer.from(await disk.readFile(join(dir, 'file'))).toString()).toBe('oursmore');
      await expect(disk.readFile(join(dir, 'none'))).rejects.toThrow(`'${join(dir, 'none')}'`);
      expectTheirs();
    },
  );

  test('places a new file only where there is none', async () => {
    const disk = heldDisk(nodeDisk, take());
    await (await createFile(disk, dir, 'file', content)).close();
    const again = createFile(disk, dir, 'file', [Buffer.from('other')]);
    await expect(again).rejects.toMatchObject({ code: 'EEXIST' });
    expect(readFileSync(join(dir, 'file'), 'utf8')).toBe('ours');
  });

  test("removes its own broker's endpoints, or those that nobody's broker left", () => {
    const folder = take();
    const file = join(dir, 'endpoints.json');
    const endpoints = { brokerId: 'a'.repeat(26), pid: 1, startedAtMs: 1, software: 'aiq' };
    writeEndpoints(folder, { ...endpoints, folder: folder.identity, unix: null, tcp: null });
    removeEndpoints(folder, 'b'.repeat(26));
    expect(existsSync(file)).toBe(true);
    removeEndpoints(folder, 'a'.repeat(26));
    expect(existsSync(file)).toBe(false);
  });
});

describe('the token', () => {
  const told = (text: string): number => notices.push(text);

  test('is made once, for the owner alone', () => {
    const folder = take();
    const token = readOrMakeToken(folder, told);
    expect(readOrMakeToken(folder, told)).toEqual(token);
    expect([token.length, modeOf(join(dir, 'token'))]).toEqual([64, '600']);
    expect(notices).toEqual([]);
  });

  test('is made anew where a crash left an empty file', () => {
    const folder = take();
    writeFileSync(join(dir, 'token'), '\n', { mode: 0o600 });
    expect(readOrMakeToken(folder, told)).toHaveLength(64);
  });

  test('that is too short, or a link, is refused with the fix', () => {
    const folder = take();
    writeFileSync(join(dir, 'token'), 'secret', { mode: 0o600 });
    expect(() => readOrMakeToken(folder, told)).toThrow(/\.aiq\/token holds no token.*remove it/);
    rmSync(join(dir, 'token'));
    symlinkSync(join(root, 'elsewhere'), join(dir, 'token'));
    expect(() => readOrMakeToken(folder, told)).toThrow(/\.aiq\/token is a symbolic link/);
    expect(existsSync(join(root, 'elsewhere'))).toBe(false);
  });

  test('that others may read is closed to them, and that is said', () => {
    const folder = take();
    const token = 'x'.repeat(64);
    writeFileSync(join(dir, 'token'), token);
    chmodSync(join(dir, 'token'), 0o644);
    expect(readOrMakeToken(folder, told)).toEqual(new TextEncoder().encode(token));
    expect(modeOf(join(dir, 'token'))).toBe('600');
    expect(notices).toEqual([expect.stringContaining('its mode was 644; if one may have read it')]);
  });
});
