/** Bugs in what peers may take of the broker: one that is greedy, slow or silent would cost the others. */

import type { PlantedBug } from '../bug.ts';

export const netBugs: readonly PlantedBug[] = [
  {
    name: 'lease-runs-while-unsent',
    what: 'a lease runs from when it was decided, though its job still waits for a slow line',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/delivery.ts#grant',
        find: 'core.leases.add(session, job);',
        replace: 'core.leases.add(session, job); core.leases.begin(lease, now.monotonicMs);',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/context/send-quota.test.ts' },
  },
  {
    name: 'jobs-for-the-silent',
    what: 'jobs are delivered to a peer however much it has not read',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/delivery.ts#sessionHasRoom',
        find: 'unsent.takesJobs(connection)',
        replace: 'unsent.bytes >= 0',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/context/send-quota.test.ts' },
  },
  {
    name: 'one-line-first',
    what: 'all that one connection asked is handled before the next one has its turn',
    edits: [
      {
        in: 'core/broker/engine/request-scheduler.ts#RequestScheduler.#visit',
        find: 'used < 1 &&',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/unit/broker/engine/request-scheduler.test.ts' },
  },
  {
    name: 'answers-unpaid',
    what: 'large answers are made for a peer that does not read',
    edits: [
      {
        in: 'core/broker/engine/request-scheduler.ts#RequestScheduler.#mayServe',
        find: '&& unsent.takesLarge(queue.connection)',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/unit/broker/engine/request-scheduler.test.ts' },
  },
  {
    name: 'answers-in-one-go',
    what: 'all answers that may leave at one time leave at once, and who waits for a small one waits for them',
    edits: [
      {
        in: 'core/broker/engine/outbox.ts#partBytesMax',
        find: '128 * 1024',
        replace: '512 * 1024 * 1024',
      },
    ],
    caughtBy: { test: 'test/unit/broker/engine/outbox.test.ts' },
  },
  {
    name: 'reads-in-one-line',
    what: 'records are read in the order in which they were asked for, whoever asked for how many',
    edits: [
      {
        in: 'core/broker/engine/log-reads.ts#LogReads.#resolve',
        find: 'isSmall ? this.#ready.mayGoFirst(queue, true) :',
        replace: '',
      },
      {
        in: 'core/broker/engine/log-reads.ts#LogReads.#resolve',
        find: 'this.#ready.add(queue, isSmall)',
        replace: 'this.#ready.add(queue, false)',
      },
    ],
    caughtBy: { test: 'test/unit/broker/engine/log-reads.test.ts' },
  },
  {
    name: 'heavy-before-the-disk',
    what: 'what is heavy is taken however much waits for the disk, and what is small waits behind it',
    edits: [
      {
        in: 'core/broker/engine/request-scheduler.ts#RequestScheduler.#isLogBehind',
        find: 'this.#options.unwrittenBytes() > behindBytes',
        replace: 'false',
      },
    ],
    caughtBy: { test: 'test/unit/broker/engine/request-scheduler.test.ts' },
  },
  {
    name: 'frame-shares-its-buffer',
    what: 'a large frame that came in pieces is cut from a buffer that holds what came after it, and takes that along',
    edits: [
      {
        in: 'core/protocol/frame.ts#FrameSplitter.#consume',
        find: 'joinChunks(this.#chunks, count)',
        replace: 'joinChunks(this.#chunks, this.#buffered + count).subarray(0, count)',
      },
    ],
    caughtBy: { test: 'test/unit/protocol/frame.test.ts' },
  },
  {
    name: 'read-ahead-of-the-core',
    what: 'requests are read however many the core has not taken, and all wait in one line behind them',
    edits: [
      {
        in: 'core/broker/net/read-scheduler.ts#ReadScheduler.next',
        find: '!this.#isOpen() ||',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/unit/broker/net/connection-flow.test.ts' },
  },
  {
    name: 'progress-by-whole-writes',
    what: 'a peer counts as stalled until a whole write is over, however steadily it reads',
    edits: [
      {
        in: 'core/broker/net/send-buffer.ts#sliceBytes',
        find: '32 * 1024',
        replace: '32 * 1024 * 1024',
      },
    ],
    caughtBy: { test: 'test/unit/broker/net/connection-flow.test.ts' },
  },
];
