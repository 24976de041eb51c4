/** Which blobs of a damaged log are complete, by its legible records. */

import type { BlobRef } from '../../../protocol/index.ts';
import type { LogRecord } from '../../state-machine/records/records.ts';

interface Coverage {
  readonly totalBytes: number;
  /** Bytes of each chunk, by where it begins. */
  readonly chunks: Map<number, number>;
  stored: boolean;
}

export class BlobCoverage {
  readonly #blobs: Map<string, Coverage> = new Map();
  /** Blobs that were removed on purpose: records that still refer to them are obsolete. */
  readonly #dropped: Set<string> = new Set();

  see(record: LogRecord): void {
    if (record.kind === 'blobChunk') {
      this.#coverage(record).chunks.set(record.at, record.chunk.length);
    } else if (record.kind === 'blobStored') {
      this.#coverage(record).stored = true;
    } else if (record.kind === 'blobDropped') {
      const key = keyOf(record.sha256);
      this.#blobs.delete(key);
      this.#dropped.add(key);
    }
  }

  /** True when the blob is incomplete and was not removed on purpose. */
  isLost({ sha256 }: Pick<BlobRef, 'sha256'>): boolean {
    const key = keyOf(sha256);
    if (this.#dropped.has(key)) return false;
    const blob = this.#blobs.get(key);
    return blob === undefined || !blob.stored || !isWhole(blob);
  }

  #coverage({ sha256, totalBytes }: { sha256: Uint8Array; totalBytes: number }): Coverage {
    const key = keyOf(sha256);
    this.#dropped.delete(key);
    let blob = this.#blobs.get(key);
    if (blob === undefined) {
      blob = { totalBytes, chunks: new Map(), stored: false };
      this.#blobs.set(key, blob);
    }
    return blob;
  }
}

function isWhole({ totalBytes, chunks }: Coverage): boolean {
  let covered = 0;
  while (covered < totalBytes) {
    const bytes = chunks.get(covered) ?? 0;
    if (bytes === 0) return false;
    covered += bytes;
  }
  return true;
}

function keyOf(sha256: Uint8Array): string {
  return Buffer.from(sha256).toString('base64');
}
