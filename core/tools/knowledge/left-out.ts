/** Which of the files that an agent's `knowledge` names are not searched, and why: decided here alone. */

import { extname } from 'node:path';

/** Such as `docs/book.pdf: a PDF; convert it to text first (pdftotext)`. */
export type LeftOut = string;

const mebi = 1024 * 1024;

export const knowledgeLimits = {
  /** A long book; what memory is needed depends on the total. */
  fileBytesMax: 4 * mebi,
  /** Of all files of one agent: their index takes some fifteen times as much memory in a thread. */
  totalBytesMax: 8 * mebi,
  filesMax: 20_000,
} as const;

/** Formats that are never text, whatever bytes are in them: they take no room from those that are. */
const formats: ReadonlyMap<string, string> = new Map([
  ['.pdf', 'a PDF; convert it to text first (pdftotext)'],
  ...['.doc', '.docx', '.odt', '.rtf', '.epub'].map(
    (extension) => [extension, 'a document; convert it to text first (pandoc -t plain)'] as const,
  ),
  ...['.ppt', '.pptx', '.odp', '.xls', '.xlsx', '.ods'].map(
    (extension) => [extension, 'an office file; convert it to text first'] as const,
  ),
]);

export const noText = 'no text in UTF-8';
export const tooManyWords = 'the files have too many different words';

export function leftOut(path: string, why: string): LeftOut {
  return `${path}: ${why}`;
}

interface Sized {
  readonly path: string;
  readonly bytes: number;
}

/** Of the files in their order, those that fit the limits. */
export function bounded<File extends Sized>(
  all: readonly File[],
): { readonly files: readonly File[]; readonly leftOut: readonly LeftOut[] } {
  const { fileBytesMax, totalBytesMax, filesMax } = knowledgeLimits;
  const files: File[] = [];
  const out: LeftOut[] = [];
  let total = 0;
  for (const file of all) {
    const { path, bytes } = file;
    const format = formats.get(extname(path).toLowerCase());
    if (format !== undefined) out.push(leftOut(path, format));
    else if (bytes > fileBytesMax) out.push(leftOut(path, `over ${fileBytesMax / mebi} MiB`));
    else if (total + bytes > totalBytesMax || files.length === filesMax) {
      const why = `the knowledge is over ${totalBytesMax / mebi} MiB or ${filesMax} files`;
      out.push(leftOut(path, why));
    } else {
      files.push(file);
      total += bytes;
    }
  }
  return { files, leftOut: out };
}

/** The text in the bytes, or null when they are none. */
export function textOf(bytes: Buffer): string | null {
  if (bytes.includes(0)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

const namedMax = 5;
const namedCharsMax = 300;

/** For people: how many, and the first of them by name; empty where there are none. */
export function leftOutText(files: readonly LeftOut[]): string {
  if (files.length === 0) return '';
  const named = files.slice(0, namedMax).map((file) => file.slice(0, namedCharsMax));
  const more = files.length - named.length;
  const what = files.length === 1 ? '1 file' : `${files.length} files`;
  return `${what}: ${named.join(' · ')}${more > 0 ? ` · and ${more} more` : ''}`;
}
