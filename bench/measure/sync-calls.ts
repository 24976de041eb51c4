/** Counts the calls by which a process makes its writes durable, as strace sees them. */

import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';

const calls = ['fsync', 'fdatasync', 'msync', 'sync_file_range', 'syncfs'] as const;

export const straceCommand = 'apt-get install -y --no-install-recommends strace';

export function hasStrace(): boolean {
  return spawnSync('strace', ['-V'], { stdio: 'ignore' }).error === undefined;
}

/** The command under strace; with `-D` the child that one spawns is the program itself. */
export function traced(file: string, command: readonly string[]): [string, string[]] {
  return ['strace', ['-D', '-f', '-e', `trace=${calls.join(',')}`, '-o', file, ...command]];
}

/** Calls so far; opened files that sync on every write would show none, and neither side does that. */
export async function syncCalls(file: string): Promise<number> {
  const text = await readFile(file, 'utf8');
  // A call that another thread's interrupts is written in two lines; the second says "resumed".
  return text.split('\n').filter((line) => /^\d+\s+\w+\(/.test(line)).length;
}
