/** Standard input: whether somebody gave one, and reading it once. */

import { fstatSync } from 'node:fs';
import { inputError } from '../errors.ts';
import { decodeText, readStream } from './text-file.ts';

/** Name of standard input in messages. */
export const stdinName = 'standard input';

let taken = false;

/**
 * True when standard input is a pipe or a file that nobody read yet. "Not a terminal" would not do:
 * under cron or a service manager it is a device, or a socket that never ends.
 */
export function stdinIsPiped(): boolean {
  if (taken) return false;
  try {
    const stat = fstatSync(0);
    return stat.isFIFO() || stat.isFile();
  } catch {
    return false;
  }
}

/** A pipe that is silent this long may never end: it is said that it is being read. */
const silenceMs = 500;

/**
 * The text of standard input. Two parts of a command cannot both read it.
 * @param note told when nothing comes, for input that nobody asked to read
 * @throws CliError `invalid`
 */
export async function readStdin(
  bytesMax: number,
  note: (line: string) => void = () => undefined,
): Promise<string> {
  const silence = setTimeout(() => note(`reading ${stdinName} …`), silenceMs);
  try {
    return decodeText(await readStream(stdinName, takeStdin(), bytesMax), stdinName);
  } finally {
    clearTimeout(silence);
  }
}

/** The stream itself, for input that is read line by line. */
export function takeStdin(): AsyncIterable<Uint8Array> {
  if (taken) throw inputError(`${stdinName} can be read only once`, 'Use "-" in one place.');
  taken = true;
  if (process.stdin.isTTY) process.stderr.write('reading standard input, end with Ctrl-D\n');
  return process.stdin as AsyncIterable<Uint8Array>;
}
