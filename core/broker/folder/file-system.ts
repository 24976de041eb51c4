/**
 * Which file systems a broker's folder may be on: those whose locks, sockets and syncs are reliable. On a
 * network share two machines could each run a broker on one log.
 *
 * The numbers are from the kernel's `include/uapi/linux/magic.h` and from statfs(2).
 */

import { fstatSync, readFileSync } from 'node:fs';

/** How a folder is mounted, as `/proc/self/mountinfo` says (proc_pid_mountinfo(5)). */
export interface Mount {
  /** As `ext4`, `nfs4`, `fuse.sshfs`. */
  readonly type: string;
  /** Where it is mounted. */
  readonly at: string;
}

const shared =
  'other machines can use it at the same time, and its locks may not hold between them';
const foreign = 'it shows the files of another system, whose locks and syncs may not hold here';
const daemon =
  'a program serves it (FUSE), and its locks and syncs are what that program makes them';

/** By `f_type` of statfs(2). */
const byMagic: ReadonlyMap<number, readonly [name: string, why: string]> = new Map([
  [0x6969, ['NFS', shared]],
  [0x517b, ['SMB', shared]],
  [0xff534d42, ['CIFS', shared]],
  [0xfe534d42, ['SMB2', shared]],
  [0x564c, ['NCP', shared]],
  [0x5346414f, ['AFS', shared]],
  [0x6b414653, ['AFS', shared]],
  [0x73757245, ['Coda', shared]],
  [0x00c36400, ['Ceph', shared]],
  [0x7461636f, ['OCFS2', shared]],
  [0x01161970, ['GFS2', shared]],
  [0x0bd00bd0, ['Lustre', shared]],
  [0x47504653, ['GPFS', shared]],
  [0x19830326, ['BeeGFS', shared]],
  [0x01021997, ['9p', foreign]],
  [0x53464846, ['a Windows disk of WSL', foreign]],
  [0x786f4256, ['a shared folder of VirtualBox', foreign]],
  [0xbacbacbc, ['a shared folder of VMware', foreign]],
  [0x7c7c6673, ['a shared folder of Parallels', foreign]],
  [0x65735546, ['FUSE', daemon]],
]);

/** The same by type name, where one number is used by several types or none is known. */
const byType: readonly (readonly [pattern: RegExp, why: string])[] = [
  [
    /^(?:nfs4?|cifs|smb3|smbfs|ncpfs|afs|coda|ceph|ocfs2|gfs2|lustre|gpfs|beegfs|glusterfs)$/,
    shared,
  ],
  [/^(?:9p|v9fs|drvfs|virtiofs|vboxsf|vmhgfs|prl_fs)$/, foreign],
];

/** FUSE on a local disk, where locks, sockets and syncs are reliable. */
const fuseOnLocalDisks = new Set(['fuseblk', 'fuse.fuse-overlayfs']);

/**
 * Why a broker must not serve a folder there; null when it may.
 * @param magic `f_type` of statfs(2); Linux only: other systems use other numbers
 */
export function fileSystemProblem(magic: number, mount: Mount | null): string | null {
  if (mount !== null && fuseOnLocalDisks.has(mount.type)) return null;
  const named = byType.find(([pattern]) => pattern.test(mount?.type ?? ''));
  // Some kernels give the number with its sign.
  const [name, why] = byMagic.get(magic >>> 0) ?? [mount?.type, named?.[1]];
  if (why === undefined) return null;
  const what = mount === null ? name : `${mount.at} (${mount.type})`;
  return `its file system is ${what}; ${named?.[1] ?? why}`;
}

/** How the open folder is mounted; null where that is unknown. */
export function mountOf(descriptor: number): Mount | null {
  const { dev } = fstatSync(descriptor, { bigint: true });
  return mountIn(readMounts(), dev);
}

function readMounts(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return '';
  }
}

/** Finds the device among the lines of mountinfo: `id parent major:minor root mount-point … - type …`. */
export function mountIn(mountinfo: string, dev: bigint): Mount | null {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [, , device, , at = ''] = left.split(' ');
    const [type = ''] = right.split(' ');
    if (device === `${major}:${minor}` && type !== '') return { type, at: unescaped(at) };
  }
  return null;
}

/** Spaces and the like are written as three octal digits. */
function unescaped(text: string): string {
  return text.replaceAll(/\\(\d{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
