/** What the kernel says of a process and all its descendants: processor time, memory. */

import { readdirSync, readFileSync } from 'node:fs';

/** The kernel counts in hundredths of a second for whoever asks. */
const microsPerTick = 10_000;

/** The process and its descendants that live. */
export function treeOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const fields = Number.isSafeInteger(pid) ? statOf(pid) : null;
    if (fields !== null) parents.set(pid, Number(fields[1]));
  }
  const tree = [root];
  for (const pid of tree) {
    for (const [child, parent] of parents) if (parent === pid) tree.push(child);
  }
  return tree;
}

/** Processor time of all threads, of children that live and of those that were waited for. */
export function cpuMicrosOf(root: number): number {
  const ticks = treeOf(root).map((pid) => {
    const fields = statOf(pid) ?? [];
    return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at] ?? 0), 0);
  });
  return ticks.reduce((sum, one) => sum + one, 0) * microsPerTick;
}

/** Resident memory; pages that processes share count for each with its share. */
export function memoryBytesOf(root: number): number {
  const each = treeOf(root).map((pid) => 1024 * (kilobytesOf(pid, 'smaps_rollup', 'Pss') ?? 0));
  return each.reduce((sum, one) => sum + one, 0);
}

/** The most resident memory that the process had so far. */
export function peakBytesOf(pid: number): number {
  return 1024 * (kilobytesOf(pid, 'status', 'VmHWM') ?? 0);
}

/** The name that the kernel knows it by; empty for a process that has ended. */
export function nameOf(pid: number): string {
  return read(`/proc/${pid}/comm`)?.trim() ?? '';
}

function kilobytesOf(pid: number, file: string, field: string): number | null {
  const text = read(`/proc/${pid}/${file}`);
  const found = text === null ? null : new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text);
  return found === null ? null : Number(found[1]);
}

/** The fields of `stat` behind the name, from the state on. */
function statOf(pid: number): string[] | null {
  const text = read(`/proc/${pid}/stat`);
  return text === null ? null : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** Null for a process that has ended meanwhile. */
function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
