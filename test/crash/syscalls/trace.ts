/**
 * A process under strace: first to see which calls it makes on the files of a folder, then again and
 * again with SIGKILL at one of them. Disk work is done by one thread alone (`UV_THREADPOOL_SIZE=1`),
 * because strace counts the calls of each thread apart.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

/** Calls that change what is on disk, or open and close what is changed. */
const syscalls = [
  ...(['openat', 'close', 'mkdir', 'mkdirat', 'unlink', 'unlinkat', 'rename', 'renameat'] as const),
  ...(['renameat2', 'link', 'linkat', 'write', 'writev', 'pwrite64', 'pwritev'] as const),
  ...(['pwritev2', 'ftruncate', 'truncate', 'fallocate', 'fsync', 'fdatasync'] as const),
  ...(['copy_file_range', 'sendfile'] as const),
];

/** The n-th call of one kind, counted from 1. */
export interface Boundary {
  readonly syscall: string;
  readonly when: number;
}

export interface Traced {
  /** The lines that the process wrote before it ended. */
  readonly lines: string[];
  readonly signal: NodeJS.Signals | null;
}

export const hasStrace: boolean =
  process.platform === 'linux' &&
  spawnSync('strace', ['-qq', '-e', 'inject=fdatasync:signal=SIGKILL:when=9', 'true'], {
    stdio: 'ignore',
  }).status === 0;

/** The calls below a folder, in the order in which a run made them, and the paths that they named. */
export async function callsBelow(
  dir: string,
  traceFile: string,
): Promise<{ boundaries: Boundary[]; paths: string[] }> {
  const counts = new Map<string, number>();
  const paths = new Set<string>();
  const boundaries: Boundary[] = [];
  for (const line of (await readFile(traceFile, 'utf8')).split('\n')) {
    const [, thread = '', syscall = ''] = /^(\d+) +([a-z]\w+)\(/.exec(line) ?? [];
    const named = [...line.matchAll(/[<"](\/[^>"]*)[>"]/g)].map(([, path = '']) => path);
    const below = named.filter((path) => isBelow(path, dir));
    if (syscall === '' || below.length === 0) continue;
    for (const path of below) paths.add(path);
    const when = (counts.get(`${thread} ${syscall}`) ?? 0) + 1;
    counts.set(`${thread} ${syscall}`, when);
    boundaries.push({ syscall, when });
  }
  return { boundaries, paths: [...paths] };
}

/** By its own path, or as the broker names it: through the folder above `dir`, which it holds open. */
function isBelow(path: string, dir: string): boolean {
  const held = /^\/proc\/self\/fd\/\d+(\/.*)$/.exec(path)?.[1] ?? '';
  return [path, join(dirname(dir), held)].some(
    (each) => each === dir || each.startsWith(`${dir}/`),
  );
}

/** Runs Node under strace, noting every call with the paths that it names. */
export function runNoting(traceFile: string, args: readonly string[]): Promise<Traced> {
  return run(['-y', '-o', traceFile, '-e', `trace=${syscalls.join(',')}`], args);
}

/** Runs Node and kills it when it is about to make the call on one of the paths. */
export function runKilling(
  { syscall, when }: Boundary,
  paths: readonly string[],
  args: readonly string[],
): Promise<Traced> {
  const inject = `inject=${syscall}:signal=SIGKILL:when=${when}`;
  const only = paths.flatMap((path) => ['-P', path]);
  return run(['-qq', '-o', '/dev/null', ...only, '-e', `trace=${syscall}`, '-e', inject], args);
}

async function run(options: readonly string[], args: readonly string[]): Promise<Traced> {
  const child = spawn('strace', ['-f', ...options, process.execPath, ...args], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(line));
  // strace ends as the process that it watched.
  const [[code, signal]] = (await Promise.all([once(child, 'exit'), once(reader, 'close')])) as [
    [number | null, NodeJS.Signals | null],
    unknown,
  ];
  if (code !== 0 && signal === null) throw new Error(`the script ended with ${code}`);
  return { lines, signal };
}
