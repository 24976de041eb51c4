/** What recovery did, in words for an operator. */

import type { RecoveryReport } from './log/contract.ts';

export function recoveryNotices(report: RecoveryReport, jobCount: number): string[] {
  const { records, bytes, segments, proof, tornTail } = report;
  const notices: string[] = [];
  if (records > 0) {
    notices.push(
      `recovered ${records} records (${bytes} bytes, ${segments} segments): ${jobCount} jobs`,
    );
  }
  if (proof !== 'good') {
    const why = { missing: 'is not there', damaged: 'is damaged' }[proof];
    notices.push(
      `log/proven ${why}, which proves how far the log reaches: whether its end is whole could not be told this time; the file was made anew`,
    );
  }
  if (tornTail !== null) {
    notices.push(
      `cut a torn tail of ${tornTail.bytes} bytes off ${tornTail.segment} at byte ${tornTail.atByte}: a write that a crash cut short, of which nothing proves that it was answered; ${
        tornTail.keptAs === null ? 'the disk had no room to keep it' : `kept as ${tornTail.keptAs}`
      }`,
    );
  }
  return notices;
}
