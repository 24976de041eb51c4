/** Distinguishes a process from a later one with the same number. Linux only: others do not say. */

import { readFileSync } from 'node:fs';

/**
 * When the process began, in clock ticks since the system did (field 22 of proc_pid_stat(5)); null
 * when there is no such process, it has ended and only waits for its parent, or that is unknown.
 */
export function processStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program, in parentheses, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state = ''] = fields;
    return ['Z', 'X'].includes(state) ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
