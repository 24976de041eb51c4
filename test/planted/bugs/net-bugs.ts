/** Bugs in what peers may take of the broker: one that is greedy, slow or silent would cost the others. */

import type { PlantedBug } from '../bug.ts';

export const netBugs: readonly PlantedBug[] = [
  {
    name: 'lease-runs-while-unsent',
    what: 'a lease runs from when it was decided, though its job still waits for a slow line',
    edits: [
      {
        file: 'core/broker/state-machine/lifecycle/delivery.ts',
        find: '  const lease = core.leases.add(session, job);',
        replace:
          '  const lease = core.leases.add(session, job);\n  core.leases.begin(lease, now.monotonicMs);',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/context/send-quota.test.ts' },
  },
  {
    name: 'jobs-for-the-silent',
    what: 'jobs are delivered to a peer however much it has not read',
    edits: [
      {
        file: 'core/broker/state-machine/lifecycle/delivery.ts',
        find: '  return unsent.takesJobs(connection);',
        replace: '  return unsent.bytes >= 0;',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/context/send-quota.test.ts' },
  },
  {
    name: 'one-line-first',
    what: 'all that one connection asked is handled before the next one has its turn',
    edits: [
      {
        file: 'core/broker/engine/request-scheduler.ts',
        find: 'while (used < 1 && this.#mayServe(queue)) {',
        replace: 'while (this.#mayServe(queue)) {',
      },
    ],
    caughtBy: { test: 'test/unit/broker/engine/request-scheduler.test.ts' },
  },
  {
    name: 'answers-unpaid',
    what: 'large answers are made for a peer that does not read',
    edits: [
      {
        file: 'core/broker/engine/request-scheduler.ts',
        find: 'this.#answering < answeringMax && unsent.takesLarge(queue.connection)',
        replace: 'this.#answering < answeringMax',
      },
    ],
    caughtBy: { test: 'test/unit/broker/engine/request-scheduler.test.ts' },
  },
  {
    name: 'answers-in-one-go',
    what: 'all answers that may leave at one time leave at once, and who waits for a small one waits for them',
    edits: [
      {
        file: 'core/broker/engine/outbox.ts',
        find: 'const partBytesMax = 128 * 1024;',
        replace: 'const partBytesMax = 512 * 1024 * 1024;',
      },
    ],
    caughtBy: { test: 'test/unit/broker/engine/outbox.test.ts' },
  },
  {
    name: 'reads-in-one-line',
    what: 'records are read in the order in which they were asked for, whoever asked for how many',
    edits: [
      {
        file: 'core/broker/engine/log-reads.ts',
        find: 'const mayStart = isSmall ? this.#ready.mayGoFirst(queue, true) : this.#ready.size === 0;',
        replace: 'const mayStart = this.#ready.size === 0;',
      },
      {
        file: 'core/broker/engine/log-reads.ts',
        find: 'this.#ready.add(queue, isSmall);',
        replace: 'this.#ready.add(queue, false);',
      },
    ],
    caughtBy: { test: 'test/unit/broker/engine/log-reads.test.ts' },
  },
  {
    name: 'heavy-before-the-disk',
    what: 'what is heavy is taken however much waits for the disk, and what is small waits behind it',
    edits: [
      {
        file: 'core/broker/engine/request-scheduler.ts',
        find: 'return this.#options.unwrittenBytes() > behindBytes;',
        replace: 'return false;',
      },
    ],
    caughtBy: { test: 'test/unit/broker/engine/request-scheduler.test.ts' },
  },
  {
    name: 'frame-shares-its-buffer',
    what: 'a large frame that came in pieces is cut from a buffer that holds what came after it, and takes that along',
    edits: [
      {
        file: 'core/protocol/frame.ts',
        find: 'const taken = isOne ? first.subarray(0, count) : joinChunks(this.#chunks, count);',
        replace:
          'const taken = isOne ? first.subarray(0, count) : joinChunks(this.#chunks, this.#buffered + count).subarray(0, count);',
      },
    ],
    caughtBy: { test: 'test/unit/protocol/frame.test.ts' },
  },
  {
    name: 'read-ahead-of-the-core',
    what: 'requests are read however many the core has not taken, and all wait in one line behind them',
    edits: [
      {
        file: 'core/broker/net/read-scheduler.ts',
        find: 'if (!this.#isOpen() || !this.#waiting.mayGoFirst(connection, isSmall)) {',
        replace: 'if (!this.#waiting.mayGoFirst(connection, isSmall)) {',
      },
    ],
    caughtBy: { test: 'test/unit/broker/net/connection-flow.test.ts' },
  },
  {
    name: 'progress-by-whole-writes',
    what: 'a peer counts as stalled until a whole write is over, however steadily it reads',
    edits: [
      {
        file: 'core/broker/net/send-buffer.ts',
        find: 'const sliceBytes = 32 * 1024;',
        replace: 'const sliceBytes = 32 * 1024 * 1024;',
      },
    ],
    caughtBy: { test: 'test/unit/broker/net/connection-flow.test.ts' },
  },
];
