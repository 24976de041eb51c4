/** The lines of the index: a JSON array each, trusted no more than a request is. */

import type { Indexed } from '../output.ts';
import { checkPaths } from '../paths.ts';

const sha256Pattern = /^[0-9a-f]{64}$/;

export function lineOf({ jobId, files, provider, model, by }: Indexed): string {
  const rows = files.map(({ path, sha256, bytes }) => [path, sha256, bytes]);
  return `${JSON.stringify([jobId, rows, provider, model, by])}\n`;
}

/** Null for what is no such line: half of one, as a power cut leaves it, says nothing. */
export function parseLine(line: string): Indexed | null {
  if (!line.startsWith('["')) return null;
  try {
    const [jobId, rows, provider, model, by] = JSON.parse(line) as unknown[];
    if (typeof jobId !== 'string' || !Array.isArray(rows)) return null;
    if (typeof provider !== 'string' || typeof model !== 'string') return null;
    if (typeof by !== 'string') return null;
    const files = rows.map((row: unknown) => {
      const [path, sha256, bytes] = row as unknown[];
      const isFile =
        typeof path === 'string' &&
        sha256Pattern.test(String(sha256)) &&
        Number.isSafeInteger(bytes);
      if (!isFile) throw new TypeError('not a file');
      return { path, sha256: String(sha256), bytes: Number(bytes) };
    });
    checkPaths(files.map(({ path }) => path));
    return { jobId, files, provider, model, by };
  } catch {
    return null;
  }
}

/** Whether both are the same result, under whatever names. */
export function isSameResult(one: Indexed, other: Indexed): boolean {
  return (
    one.files.length === other.files.length &&
    one.files.every(({ sha256 }, index) => sha256 === other.files[index]?.sha256)
  );
}
