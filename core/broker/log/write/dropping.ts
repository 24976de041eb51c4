/** Removes segments from the beginning of the log, once the new log start is durable. */

import { join } from 'node:path';
import type { SealedSegment, SegmentInfo } from '../contract.ts';
import { type Disk, type DiskDir, NotCreatedError } from '../disk/disk.ts';
import { segmentName, summaryName } from '../format/format.ts';
import type { RecordReader } from '../reader.ts';
import type { SegmentTable } from '../segments.ts';
import type { SummaryKeeper } from './summaries.ts';

export interface DroppingOptions {
  readonly disk: Disk;
  readonly dir: string;
  readonly segments: SegmentTable;
  readonly summaries: SummaryKeeper;
  readonly reader: RecordReader;
  /** Resolves when it is durable that the log starts with this segment. */
  readonly writeLogStart: (first: SegmentInfo) => Promise<void>;
  readonly onFailure: (error: unknown) => void;
}

export class Dropping {
  readonly #options: DroppingOptions;

  constructor(options: DroppingOptions) {
    this.#options = options;
  }

  /**
   * Drops all segments that end before `offset`.
   * @throws NotCreatedError when the folder cannot be opened: a transient error, nothing was changed
   * @throws Error when the disk failed; `onFailure` was called with it
   */
  async before(offset: number): Promise<void> {
    const { segments, summaries, reader, writeLogStart, onFailure } = this.#options;
    const first = segments.firstNeededFor(offset);
    if (first.number === segments.firstNumber) return;
    const folder = await this.#openFolder();
    try {
      await writeLogStart(first);
      const dropped = segments.removeBefore(first.number);
      await summaries.release(first.number);
      await reader.release(dropped.map(({ number }) => number));
      await this.#remove(dropped);
      await folder.sync();
    } catch (error) {
      onFailure(error);
      throw error;
    } finally {
      await folder.close();
    }
  }

  /** Opened first, because the removal must be made durable. */
  async #openFolder(): Promise<DiskDir> {
    const { disk, dir } = this.#options;
    return await disk.openDir(dir).catch((error: unknown) => {
      throw new NotCreatedError(dir, error);
    });
  }

  /** Files that a crash leaves are removed by the next start. */
  async #remove(segments: readonly SealedSegment[]): Promise<void> {
    const { disk, dir } = this.#options;
    for (const { number, summaryFile } of segments) {
      await disk.remove(join(dir, segmentName(number)));
      if (summaryFile) await disk.remove(join(dir, summaryName(number)));
    }
  }
}
