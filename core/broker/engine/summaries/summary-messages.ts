/** Messages between the broker and the thread that makes summaries. */

import type { SegmentToSummarize } from '../../log/write/make-summary.ts';

/** A segment whose summary is wanted. The index of its batches travels as its rows. */
export interface SummaryOrder extends Omit<SegmentToSummarize, 'index'> {
  /** Folder of the segments. */
  readonly dir: string;
  readonly rows: Uint32Array;
}

/** The content of the summary's file, or why there is none. */
export type SummaryAnswer =
  | { readonly type: 'made'; readonly content: readonly Uint8Array<ArrayBuffer>[] }
  | {
      readonly type: 'damaged';
      readonly file: string;
      readonly atByte: number;
      readonly message: string;
    }
  | { readonly type: 'failed'; readonly message: string };
