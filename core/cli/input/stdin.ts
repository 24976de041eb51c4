/** Standard input: detects whether it was given, and reads it once. */

import { fstatSync } from 'node:fs';
import { inputError } from '../errors.ts';
import { decodeText, readStream } from './text-file.ts';

/** Name of standard input in messages. */
export const stdinName = 'standard input';

let taken = false;

/**
 * True when standard input is a pipe or a file that has not been read yet. "Not a terminal" is not enough:
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

/** After this time without input a note says that standard input is being read. */
const silenceMs = 500;

/**
 * The text of standard input. Two parts of a command cannot both read it.
 * @param note called when nothing arrives, for input that the command does not mention
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
