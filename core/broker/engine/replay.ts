/** Opens the log and replays its records into the state machine. */

import { messageOf } from '../../base/index.ts';
import {
  type Log,
  LogDamagedError,
  type LogOptions,
  type RecoveryReport,
  type Replay,
} from '../log/contract.ts';
import { openLog } from '../log/open.ts';
import { restoreAdvice } from '../log/recovery/refusals.ts';
import type { QueueMachine } from '../state-machine/machine.ts';
import { SegmentSummary } from '../state-machine/records/segment-summary.ts';
import type { EngineOptions } from './engine-options.ts';

const summarize = (): SegmentSummary => new SegmentSummary();

/**
 * Opens the log and brings the state machine up to its end.
 * @throws LogDamagedError when the log is damaged where it may hold accepted jobs
 */
export function openInto(
  machine: QueueMachine,
  options: Omit<LogOptions, 'summarize'> & EngineOptions,
): Promise<{ log: Log; report: RecoveryReport }> {
  return openLog({ ...options, summarize }, replayInto(machine, options));
}

/** Throws LogDamagedError when the records contradict each other, though their checksums hold. */
function replayInto(
  machine: QueueMachine,
  { dir, onRecovered }: Pick<EngineOptions, 'dir' | 'onRecovered'>,
): Replay {
  return {
    begin: (compactedUpTo) => machine.beginReplay(compactedUpTo),
    record(bytes, offset) {
      try {
        machine.replay(bytes, offset);
      } catch (error) {
        const message = `${dir}: record ${offset}: ${messageOf(error)}. ${restoreAdvice}`;
        throw new LogDamagedError(dir, 0, message);
      }
    },
    progress: (segments, segmentsTotal) =>
      onRecovered?.({ segments, segmentsTotal, jobs: machine.jobCount }),
  };
}
