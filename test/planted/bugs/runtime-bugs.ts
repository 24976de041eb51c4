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
    name: 'stale-settle-writes',
    what: 'files are written although the broker did not take the settle',
    edits: [
      {
        in: 'core/runtime/leases/lease-supervisor.ts#LeaseSupervisor.#settle',
        find: 'answer.ok ? await this.#write(task, said) : null',
        replace: 'await this.#write(task, said)',
      },
    ],
    caughtBy: { test: 'test/integration/runtime/runtime.test.ts' },
  },
  {
    name: 'rename-instead-of-link',
    what: 'a file of a result replaces what another job has put there',
    edits: [
      {
        in: 'core/output/place.ts#tryName',
        find: 'else await link(from, to);',
        replace: 'else await rename(from, to);',
      },
    ],
    caughtBy: { test: 'test/integration/output/races.test.ts' },
  },
  {
    name: 'second-line-counts',
    what: 'a result is written although the folder has another one of the job',
    edits: [
      {
        in: 'core/output/place.ts#place',
        find: 'if (!isSameResult(first, entry)) return latest;',
        replace: '',
      },
      {
        in: 'core/output/place.ts#place',
        find: 'if (first.by !== by) throw takenOver(result.jobId);',
        replace: 'void latest;',
      },
    ],
    caughtBy: { test: 'test/integration/output/races.test.ts' },
  },
  {
    name: 'late-writer-goes-on',
    what: 'who finds the line of its job in the index writes all the same',
    edits: [
      {
        in: 'core/output/place.ts#place',
        find: 'if (first.by !== by) throw takenOver(result.jobId);',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/integration/output/store.test.ts' },
  },
  {
    name: 'unfinished-left-to-late-writer',
    what: 'who takes a job over leaves the files that its earlier writer may still name',
    edits: [
      {
        in: 'core/output/place.ts#recover',
        find: 'await removeUnfinishedOf(tree, result.jobId);',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/integration/output/store.test.ts' },
  },
  {
    name: 'written-after-compaction',
    what: 'compaction forgets that files are still to be written',
    edits: [
      {
        in: 'core/broker/state-machine/state/outputs.ts#OutputStore.keep',
        find: 'if (kept.written === true) return;',
        replace: 'if (kept.written !== undefined) return;',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/requests/outputs.test.ts' },
  },
  {
    name: 'files-without-their-blobs',
    what: 'the blobs of files are referred to by nothing, and go after an hour',
    edits: [
      {
        in: 'core/broker/state-machine/state/outputs.ts#OutputStore.#refer',
        find: 'for (const sha256 of now) this.#blobs.addRef(sha256);',
        replace: 'now.length = 0;',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/requests/outputs.test.ts' },
  },
  {
    name: 'answer-not-kept',
    what: 'a paid answer is used before it is kept in the journal',
    edits: [
      {
        in: 'core/runtime/attempt/paid-once.ts#PaidOnce.#once',
        find: 'await orAborted(journal.put(callHash, bytes, charge ?? undefined), signal)',
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
