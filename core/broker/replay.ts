/** Hands what a log holds to the core that begins with it. */

import { asError, type EngineOptions } from './engine-options.ts';
import { LogDamagedError, type Replay } from './log/contract.ts';
import { restoreAdvice } from './log/scan.ts';
import type { QueueMachine } from './queue/machine.ts';

/** Throws LogDamagedError when the records contradict each other, though their checksums hold. */
export function replayInto(
  machine: QueueMachine,
  { dir, onRecovered }: Pick<EngineOptions, 'dir' | 'onRecovered'>,
): Replay {
  return {
    begin: (restatedUpTo) => machine.beginReplay(restatedUpTo),
    record(bytes, offset) {
      try {
        machine.replay(bytes, offset);
      } catch (error) {
        const message = `${dir}: record ${offset}: ${asError(error).message}. ${restoreAdvice}`;
        throw new LogDamagedError(dir, 0, message);
      }
    },
    progress: (segments, segmentsTotal) =>
      onRecovered?.({ segments, segmentsTotal, jobs: machine.jobCount }),
  };
}
