/** Writes single records to a new log, in batches and segments of the usual size. */

import { batchPayloadBytesTarget } from '../log/batch.ts';
import { encodeLogStart, noLogStart } from '../log/format.ts';
import { type NewSegments, recordsContent } from './new-segments.ts';

const segmentBytesMax = 16 * 1024 * 1024;

export class RecordWriter {
  readonly #segments: NewSegments;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;

  constructor(segments: NewSegments) {
    this.#segments = segments;
    segments.start();
  }

  /** Offset of the record written last. */
  get endOffset(): number {
    return this.#segments.cursor.nextOffset + this.#pending.length - 1;
  }

  /** The bytes may be a view: they are copied before another segment is read. */
  async add(record: Uint8Array): Promise<void> {
    this.#pending.push(record);
    this.#pendingBytes += record.length;
    if (this.#pendingBytes < batchPayloadBytesTarget) return;
    this.flush();
    if (this.#segments.bytes < segmentBytesMax) return;
    await this.#segments.write();
    this.#segments.start();
  }

  /** Makes a batch of what was added. */
  flush(): void {
    if (this.#pending.length === 0) return;
    this.#segments.add(recordsContent(this.#pending));
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /**
   * Ends the log with a log start: as after compaction, records up to here may refer to jobs that are
   * unknown.
   */
  async finish(): Promise<void> {
    this.flush();
    this.#segments.add({ kind: 'logStart', payload: encodeLogStart(noLogStart), recordCount: 0 });
    await this.#segments.finish();
  }
}
