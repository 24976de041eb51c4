/** Bugs in the wire format, in publishing results and in running jobs. */

import type { PlantedBug } from '../bug.ts';

export const runtimeBugs: readonly PlantedBug[] = [
  {
    name: 'frame-without-bound',
    what: 'a frame may announce any length',
    edits: [
      {
        in: 'core/protocol/frame.ts#FrameSplitter.next',
        find: 'if (bodyBytes > this.#frameBytesMax) throw tooLarge(bodyBytes, this.#frameBytesMax);',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/unit/protocol/frame.test.ts' },
  },
  {
    name: 'record-before-files',
    what: 'the commit record is linked before the files are durable',
    edits: [
      {
        in: 'core/output/store.ts#commitStaged',
        find: "await staged.sync(); await staged.close(); await context.step('synced');",
        replace: '',
      },
      {
        in: 'core/output/store.ts#commitStaged',
        find: 'return { record, generation: 0 };',
        replace:
          "await staged.sync(); await staged.close(); await context.step('synced'); return { record, generation: 0 };",
      },
    ],
    caughtBy: { test: 'test/integration/output/store.test.ts' },
  },
  {
    name: 'rename-instead-of-link',
    what: 'a published file replaces what another job has put there',
    edits: [
      {
        in: 'core/output/roll-forward.ts#publishFile',
        find: "await (to.overwrite === 'replace' ? rename(staged, to.target) : link(staged, to.target));",
        replace: 'await rename(staged, to.target);',
      },
    ],
    caughtBy: { test: 'test/integration/output/races.test.ts' },
  },
  {
    name: 'record-replaced',
    what: 'a second attempt replaces the commit record of the first',
    edits: [
      {
        in: 'core/output/records.ts#linkRecord',
        find: 'await link(',
        replace: "await (await import('node:fs/promises')).rename(",
      },
    ],
    caughtBy: { test: 'test/integration/output/races.test.ts' },
  },
  {
    name: 'answer-not-kept',
    what: 'a paid answer is used before it is kept in the journal',
    edits: [
      {
        in: 'core/runtime/attempt/paid-once.ts#PaidOnce.#once',
        find: 'await orAborted(journal.put(callHash, bytes), signal)',
        replace: 'bytes',
      },
    ],
    caughtBy: { test: 'test/unit/runtime/attempt/paid-once.test.ts' },
  },
  {
    name: 'unknown-end-is-whole',
    what: 'an answer with an unknown finish reason becomes a file',
    edits: [
      {
        in: 'core/model/answer/finish.ts#finishKind',
        find: "'filtered' : 'other'",
        replace: "'filtered' : 'whole'",
      },
    ],
    caughtBy: { test: 'test/integration/model/fault-matrix.test.ts' },
  },
  {
    name: 'end-made-up',
    what: 'JSON that broke off is an answer as far as it came',
    edits: [
      {
        in: 'core/model/answer/find-json.ts#findJson',
        find: 'return { texts, isCut: true };',
        replace: 'continue;',
      },
    ],
    caughtBy: { test: 'test/unit/model/answers.test.ts' },
  },
  {
    name: 'suspect-in-pool',
    what: 'a job behind which a crash lies runs beside others',
    edits: [
      {
        in: 'core/runtime/leases/lease-supervisor.ts#LeaseSupervisor.#work',
        find: '(leased.isolated ? isolated : pool).run(',
        replace: 'pool.run(',
      },
    ],
    caughtBy: { test: 'test/unit/runtime/leases/lease-supervisor.test.ts' },
  },
];
