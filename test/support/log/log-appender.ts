/**
 * A process that appends to the log in the folder given until it is killed. It prints how many
 * records were replayed, then each offset that became durable. Record n is made by `recordAt(n)`; what is replayed must be those.
 */

import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { openLog } from '../../../core/broker/log/open.ts';
import { keepAll } from './log-harness.ts';

export const appenderSegmentBytesMax = 256 * 1024;

/** 10 to about 5,000 bytes that depend on the offset. */
export function recordAt(offset: number): string {
  return `record ${offset} `.repeat(1 + ((offset * 7919) % 400));
}

async function appendUntilKilled(dir: string): Promise<void> {
  const { log } = await openLog(
    {
      dir,
      segmentBytesMax: appenderSegmentBytesMax,
      summaryQuietMs: 0,
      summarize: keepAll,
      onDurable: (offset) => {
        writeSync(1, `${offset}\n`);
        appendSome(offset);
      },
      onProblem: () => undefined,
      onFailure: (error) => {
        throw error;
      },
    },
    {
      begin: () => undefined,
      record: (record, offset) => {
        if (Buffer.from(record).toString() !== recordAt(offset)) {
          throw new Error(`record ${offset} is not what was appended`);
        }
      },
    },
  );
  function appendSome(seed: number): void {
    for (let count = seed % 17; count >= 0; count--) {
      log.append(Buffer.from(recordAt(log.endOffset + 1)));
    }
  }
  writeSync(1, `${log.endOffset}\n`);
  appendSome(log.endOffset);
}

const [, script, dir] = process.argv;
if (script !== undefined && dir !== undefined && import.meta.url === pathToFileURL(script).href) {
  await appendUntilKilled(dir);
}
