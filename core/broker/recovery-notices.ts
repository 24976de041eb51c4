/** Notices about recovery, for the operator. */

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
    const why = { missing: 'is missing', damaged: 'is damaged' }[proof];
    notices.push(
      `log/proven, which proves where the log ends, ${why}: the end could not be checked this time; the file was created again`,
    );
  }
  if (tornTail !== null) {
    notices.push(
      `cut a torn tail of ${tornTail.bytes} bytes off ${tornTail.segment} at byte ${tornTail.atByte}: a write that a crash cut short and that was not acknowledged; ${
        tornTail.keptAs === null ? 'the disk had no space to keep it' : `kept as ${tornTail.keptAs}`
      }`,
    );
  }
  return notices;
}
