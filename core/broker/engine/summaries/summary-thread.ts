/** Entry of the thread that makes summaries of sealed segments: one order at a time. */

import { parentPort } from 'node:worker_threads';
import { messageOf } from '../../../base/index.ts';
import { LogDamagedError } from '../../log/contract.ts';
import { nodeDisk } from '../../log/disk/disk.ts';
import { BatchIndex } from '../../log/format/batch-index.ts';
import { makeSummary } from '../../log/write/make-summary.ts';
import { SegmentSummary } from '../../state-machine/records/segment-summary.ts';
import type { SummaryAnswer, SummaryOrder } from './summary-messages.ts';

if (parentPort === null) throw new Error('summary-thread.ts is the entry of a worker thread');
const port = parentPort;

const summarize = (): SegmentSummary => new SegmentSummary();
/** Nothing else waits in this thread. */
const pause = async (): Promise<void> => undefined;

async function answerTo({ dir, rows, ...segment }: SummaryOrder): Promise<SummaryAnswer> {
  const index = new BatchIndex(segment.firstOffset, rows);
  try {
    const pieces = await makeSummary(
      { ...segment, index },
      { disk: nodeDisk, dir, summarize, pause },
    );
    return { type: 'made', content: pieces.map((piece) => Uint8Array.from(piece)) };
  } catch (error) {
    const message = messageOf(error);
    if (!(error instanceof LogDamagedError)) return { type: 'failed', message };
    return { type: 'damaged', file: error.file, atByte: error.atByte, message };
  }
}

async function serve(order: SummaryOrder): Promise<void> {
  const answer = await answerTo(order);
  const content = answer.type === 'made' ? answer.content : [];
  port.postMessage(
    answer,
    content.map(({ buffer }) => buffer),
  );
}

port.on('message', (order: SummaryOrder) => void serve(order));
