/**
 * Reading input as text: UTF-8 without its byte order mark, within the size limit. What is missing,
 * a directory, binary, empty or too large is refused with its name and the fix.
 */

import { createReadStream, readFileSync, statSync } from 'node:fs';
import { inputError } from '../errors.ts';
import { formatBytes } from '../output/format.ts';

/**
 * The text of a file.
 * @param hint how to give the text itself, should the path have been meant as one
 * @throws CliError `invalid` naming the file
 */
export async function readTextFile(
  path: string,
  bytesMax: number,
  hint: string | null = null,
): Promise<string> {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) {
      throw inputError(
        `${path} is a directory`,
        `Give its files: aiq … '${trimSlash(path)}/**/*.md'`,
      );
    }
    if (stat.size > bytesMax) throw tooLarge(path, formatBytes(stat.size), bytesMax);
    // At once: handle, stream and buffer of a small file would be a hundred times its size.
    const bytes = stat.isFile()
      ? readFileSync(path)
      : await readStream(path, createReadStream(path), bytesMax);
    if (bytes.length > bytesMax) throw tooLarge(path, formatBytes(bytes.length), bytesMax);
    return decodeText(bytes, path);
  } catch (error) {
    throw openError(path, error, hint);
  }
}

/**
 * All bytes of a stream, never more than `bytesMax`.
 * @throws CliError `invalid` naming `what`
 */
export async function readStream(
  what: string,
  stream: AsyncIterable<Uint8Array>,
  bytesMax: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > bytesMax) throw tooLarge(what, `over ${formatBytes(size)}`, bytesMax);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * Bytes as text.
 * @throws CliError `invalid` naming `what` when they are no text, or blank
 */
export function decodeText(bytes: Uint8Array, what: string): string {
  if (bytes.includes(0)) throw binary(what);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw binary(what);
  }
  if (text.trim() === '') throw inputError(`${what} is empty`, 'It contains no text.');
  return text;
}

/** The file system's refusal to open `path`, in words; the hint is for missing files. */
export function openError(path: string, error: unknown, hint: string | null): Error {
  const { code, errno } = error as NodeJS.ErrnoException;
  if (errno === undefined) return error as Error;
  // A name that is too long for every file names none: most often it is the text itself.
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') {
    return inputError(`no such file: ${shownName(path)}`, ...(hint === null ? [] : [hint]));
  }
  if (code === 'EISDIR') return inputError(`${path} is a directory`);
  if (code === 'EACCES' || code === 'EPERM') return inputError(`permission denied: ${path}`);
  if (code === 'ELOOP')
    return inputError(`${path} cannot be read: too many levels of symbolic links`);
  if (code === 'ENXIO') return inputError(`${path} cannot be read: it is a socket or a device`);
  const { getSystemErrorMessage } = process.getBuiltinModule('node:util');
  return inputError(`${path} cannot be read: ${getSystemErrorMessage(errno)}`);
}

const nameLengthMax = 200;

/** A name for messages, shortened: it may be a text by mistake. */
export function shownName(name: string): string {
  return name.length > nameLengthMax ? `${name.slice(0, nameLengthMax - 1)}…` : name;
}

function tooLarge(what: string, size: string, bytesMax: number): Error {
  return inputError(
    `${what} is too large: ${size}; the limit is ${formatBytes(bytesMax)}`,
    'The limit is limits.inputBytesMax in aiq.config.yaml.',
  );
}

function binary(what: string): Error {
  return inputError(`${what} is not UTF-8 text`, 'Convert it to text first.');
}

function trimSlash(path: string): string {
  return path.replace(/\/+$/, '');
}
