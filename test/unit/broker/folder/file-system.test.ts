/** Which file systems a broker's folder may be on. */

import { closeSync, openSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { fileSystemProblem, mountIn, mountOf } from '../../../../core/broker/folder/file-system.ts';

describe('a file system', () => {
  test.each([
    ['NFS', 0x6969, 'nfs4'],
    ['SMB', 0xfe534d42, 'cifs'],
    ['CIFS', 0xff534d42, 'cifs'],
    ['CIFS with the sign of a 32-bit number', 0xff534d42 | 0, 'cifs'],
    ['9p, as WSL 2 mounts Windows disks', 0x01021997, '9p'],
    ['a Windows disk of WSL 1', 0x53464846, 'drvfs'],
    ['a shared folder of VirtualBox', 0x786f4256, 'vboxsf'],
    ['sshfs', 0x65735546, 'fuse.sshfs'],
    ['virtiofs', 0x65735546, 'virtiofs'],
    ['one of another number, with a name that is known', 0x1234, 'glusterfs'],
  ])('is refused: %s', (_, magic, type) => {
    expect(fileSystemProblem(magic, { type, at: '/mnt/x' })).toContain(`/mnt/x (${type})`);
  });

  test('is refused by its number alone where the system does not tell the mount', () => {
    expect(fileSystemProblem(0x6969, null)).toMatch(/NFS; other machines/);
    expect(fileSystemProblem(0x65735546, null)).toMatch(/FUSE; a program serves it/);
  });

  test.each([
    ['ext4', 0xef53, 'ext4'],
    ['XFS', 0x58465342, 'xfs'],
    ['btrfs', 0x9123683e, 'btrfs'],
    ['tmpfs', 0x01021994, 'tmpfs'],
    ['overlayfs', 0x794c7630, 'overlay'],
    ['NTFS or exFAT on a local disk', 0x65735546, 'fuseblk'],
    ['the overlay of rootless containers', 0x65735546, 'fuse.fuse-overlayfs'],
  ])('is taken: %s', (_, magic, type) => {
    expect(fileSystemProblem(magic, { type, at: '/' })).toBeNull();
    if (magic !== 0x65735546) expect(fileSystemProblem(magic, null)).toBeNull();
  });
});

describe('the mount of a folder', () => {
  test('is found by its device, its name with spaces undone', () => {
    const mountinfo = [
      '22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw',
      '23 22 0:301 / /mnt/team\\040share rw,relatime shared:7 master:2 - nfs4 box:/x rw',
      '',
    ].join('\n');
    expect(mountIn(mountinfo, 0x801n)).toEqual({ type: 'ext4', at: '/' });
    const dev = BigInt((301 & 0xff) | ((301 & ~0xff) << 12));
    expect(mountIn(mountinfo, dev)).toEqual({ type: 'nfs4', at: '/mnt/team share' });
    expect(mountIn(mountinfo, 7n)).toBeNull();
    expect(mountIn('', 7n)).toBeNull();
  });

  test('of a folder of this machine may serve', () => {
    const descriptor = openSync(tmpdir(), 'r');
    const mount = mountOf(descriptor);
    closeSync(descriptor);
    if (process.platform === 'linux') expect(statSync(mount?.at ?? '').isDirectory()).toBe(true);
    expect(fileSystemProblem(statfsSync(tmpdir()).type, mount)).toBeNull();
  });
});
