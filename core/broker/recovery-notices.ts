/** What recovery did, in words for an operator. */

import type { RecoveryReport } from './log/contract.ts';

export function recoveryNotices(report: RecoveryReport, jobCount: number): string[] {
  const { records, bytes, segments, tornTail } = report;
  const notices: string[] = [];
  if (records > 0) {
    notices.push(
      `recovered ${records} records (${bytes} bytes, ${segments} segments): ${jobCount} jobs`,
    );
  }
  if (tornTail !== null) {
    notices.push(
      `cut a torn tail of ${tornTail.bytes} bytes off ${tornTail.segment} at byte ${tornTail.atByte}; no accepted job was in it; ${
        tornTail.keptAs === null ? 'the disk had no room to keep it' : `kept as ${tornTail.keptAs}`
      }`,
    );
  }
  return notices;
}
