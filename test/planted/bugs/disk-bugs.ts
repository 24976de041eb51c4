/** Bugs in what the broker makes of a disk that loses an end, gives an error, or has nothing left. */

import type { PlantedBug } from '../bug.ts';

export const diskBugs: readonly PlantedBug[] = [
  {
    name: 'cut-end-served',
    what: 'a last segment that was cut below its proven end is served',
    edits: [
      {
        in: 'core/broker/log/recovery/recover.ts#Recovery.last',
        find: 'validBytes < proven.bytes',
        replace: 'validBytes < 0',
      },
    ],
    caughtBy: { test: 'test/unit/broker/log/proven-end.test.ts' },
  },
  {
    name: 'removed-end-served',
    what: 'a log whose last segment was removed is served',
    edits: [
      {
        in: 'core/broker/log/recovery/recover.ts#findLogStart',
        find: 'proven.segment > last.number',
        replace: 'proven.segment < 0',
      },
    ],
    caughtBy: { test: 'test/unit/broker/log/proven-end.test.ts' },
  },
  {
    name: 'proof-not-synced',
    what: 'the proof of the end is not synced when the log rests',
    edits: [
      {
        in: 'core/broker/log/log.ts#SegmentLog.#prove',
        find: 'this.#proven.sync()',
        replace: 'this.#proven.noted()',
      },
    ],
    caughtBy: { test: 'test/unit/broker/log/proven-end.test.ts' },
  },
  {
    name: 'name-not-synced-in-place',
    what: 'a log that goes on in place relies on a name that an earlier start could not sync',
    edits: [
      {
        in: 'core/broker/log/recovery/tail.ts#writeInPlace',
        find: 'await syncDir(disk, dir);',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/unit/broker/log/space.test.ts' },
  },
  {
    name: 'read-error-is-damage',
    what: 'a job whose bytes cannot be read for a moment is dead as damaged',
    edits: [
      {
        in: 'core/broker/engine/log-reads.ts#LogReads.#readFailed',
        find: '!(error instanceof LogDamagedError || error instanceof RangeError)',
        replace: 'error instanceof SyntaxError',
      },
    ],
    caughtBy: { test: 'test/unit/broker/engine/engine-errors.test.ts' },
  },
  {
    name: 'unread-counted',
    what: 'a job that the broker could not read is charged a return',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/lease-end.ts#countersOf',
        find: "isUncounted ? 'none' :",
        replace: '',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/context/reading.test.ts' },
  },
  {
    name: 'no-pause-after-failed-read',
    what: 'deliveries go on at once after a read that failed',
    edits: [
      {
        in: 'core/broker/state-machine/context/read-pause.ts#ReadPause.jobsMax',
        find: 'if (this.#untilMs !== null && nowMs < this.#untilMs) return 0;',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/context/reading.test.ts' },
  },
  {
    name: 'next-segment-given-up',
    what: 'the broker ends when the next segment cannot be made for a moment',
    edits: [
      {
        in: 'core/broker/log/write/rotation.ts#Rotation.begin',
        find: 'if (!(error instanceof NotCreatedError) || failure() !== null) throw error;',
        replace: 'if (failure() === null) throw error;',
      },
    ],
    caughtBy: { test: 'test/unit/broker/engine/engine-errors.test.ts' },
  },
  {
    name: 'ballast-compresses',
    what: 'the ballast is zeros, which a file system that compresses does not keep',
    edits: [
      {
        in: 'core/broker/log/disk/ballast.ts#createBallast',
        find: 'randomBytes(',
        replace: 'Buffer.alloc(',
      },
    ],
    caughtBy: { test: 'test/unit/broker/log/space.test.ts' },
  },
];
