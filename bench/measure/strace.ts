/** System calls of a process, as strace counts them. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const syncs = ['fsync', 'fdatasync', 'msync', 'sync_file_range', 'syncfs'] as const;

export const straceCommand = 'apt-get install -y --no-install-recommends strace';

export function hasStrace(): boolean {
  return spawnSync('strace', ['-V'], { stdio: 'ignore' }).error === undefined;
}

/**
 * Put before a command, writes the calls into a file by which it makes its writes durable; with `-D`
 * the child that one spawns is the program itself.
 */
export function syncTrace(file: string): readonly string[] {
  return ['strace', '-D', '-f', '-e', `trace=${syncs.join(',')}`, '-o', file];
}

/** Calls so far; files that sync on every write would show none, and no server here opens such. */
export async function syncCalls(file: string): Promise<number> {
  const text = await readFile(file, 'utf8');
  // A call that another thread's interrupts is written in two lines; the second says "resumed".
  return text.split('\n').filter((line) => /^\d+\s+\w+\(/.test(line)).length;
}

/** Calls of all threads of a running process during `work`. */
export async function countCalls(pid: number, work: () => Promise<void>): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'aiq-strace-'));
  try {
    const file = join(dir, 'counts');
    const strace = spawn('strace', ['-c', '-f', '-p', String(pid), '-o', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = once(strace, 'exit');
    const [text] = (await Promise.race([once(strace.stderr, 'data'), ended])) as [Buffer];
    if (strace.exitCode !== null) throw new Error(`strace cannot attach: ${String(text)}`);
    await work();
    strace.kill('SIGINT');
    await ended;
    return totalOf(await readFile(file, 'utf8'));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Of the last row: percentage, seconds, microseconds a call, calls, perhaps errors, "total". */
function totalOf(summary: string): number {
  const row = summary.split('\n').find((line) => line.trim().endsWith('total')) ?? '';
  const calls = Number(row.trim().split(/\s+/)[3]);
  if (!Number.isSafeInteger(calls)) throw new Error(`strace counted nothing: ${summary}`);
  return calls;
}
