/**
 * Results of pure functions, kept from one process to the next: texts, each under the hash of what it
 * was made of. They lie in the folder of Node's own compile cache, so who could change them could
 * change the code as well; where that cache is off, nothing is kept.
 */

import { hash, randomBytes } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { join } from 'node:path';

/** Then all go: what is still needed comes again. */
const resultsMax = 1_000;
const resultBytesMax = 1024 * 1024;

export class KeptResults {
  readonly #folder: string | null;
  readonly #sources: string;
  #version: string | null = null;

  /**
   * @param name of the folder
   * @param sources folder of the code that makes the results: they are void when a file in it changes
   */
  constructor(name: string, sources: string) {
    const cache = getCompileCacheDir();
    this.#folder = cache === undefined ? null : join(cache, 'aiq', name);
    this.#sources = sources;
  }

  /** The result that was kept for the input; null when there is none, or it is damaged. */
  find(input: string): string | null {
    if (this.#folder === null) return null;
    try {
      const kept = readFileSync(join(this.#folder, this.#keyOf(input)), 'utf8');
      const text = kept.slice(digestLength);
      return digestOf(text) === kept.slice(0, digestLength) ? text : null;
    } catch {
      return null;
    }
  }

  /** Keeps a result where that is possible. Never throws. */
  keep(input: string, result: string): void {
    if (this.#folder === null || result.length > resultBytesMax) return;
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      if (readdirSync(this.#folder).length >= resultsMax) {
        rmSync(this.#folder, { recursive: true });
        mkdirSync(this.#folder, { mode: 0o700 });
      }
      const file = join(this.#folder, this.#keyOf(input));
      const part = `${file}.${randomBytes(6).toString('hex')}`;
      writeFileSync(part, digestOf(result) + result, { mode: 0o600, flag: 'wx' });
      renameSync(part, file);
    } catch {
      // A full or read-only disk: the result is made again each time.
    }
  }

  #keyOf(input: string): string {
    this.#version ??= versionOf(this.#sources);
    return digestOf(`${this.#version}\n${input}`);
  }
}

const digestLength = 64;

function digestOf(text: string): string {
  return hash('sha256', text);
}

/** The packages with their exact versions, and the state of our own files. */
function versionOf(sources: string): string {
  const packages = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const files = readdirSync(sources).map((name) => {
    const { mtimeMs, size } = statSync(join(sources, name));
    return `${name} ${mtimeMs} ${size}`;
  });
  return [packages, sources, ...files].join('\n');
}
