/** A log on the real disk, for those who read its files. */

import type { Log } from '../../../core/broker/log/contract.ts';
import { openLog } from '../../../core/broker/log/open.ts';
import {
  encodeRecord,
  type LogRecord,
} from '../../../core/broker/state-machine/records/records.ts';
import { keepAll } from './log-harness.ts';

export interface DiskLog {
  readonly log: Log;
  /** Resolves when the records are durable. */
  readonly append: (...records: readonly (LogRecord | Uint8Array)[]) => Promise<void>;
}

/** @param segmentBytesMax 1 for a segment of its own for each group */
export async function openDiskLog(dir: string, segmentBytesMax = 1): Promise<DiskLog> {
  let durable = Promise.withResolvers<void>();
  const failed = (error: Error): void => durable.reject(error);
  const { log } = await openLog(
    {
      dir,
      segmentBytesMax,
      summarize: keepAll,
      onDurable: () => durable.resolve(),
      onProblem: () => undefined,
      onFailure: failed,
    },
    { begin: () => undefined, record: () => undefined },
  );
  return {
    log,
    async append(...records) {
      for (const record of records) {
        log.append(record instanceof Uint8Array ? record : encodeRecord(record));
      }
      while (log.durableOffset < log.endOffset) {
        durable = Promise.withResolvers();
        await durable.promise;
      }
    },
  };
}
