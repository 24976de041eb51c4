/** Bugs in how the broker keeps its log: promises that a crash or a bad disk would break. */

import { type PlantedBug, simulation } from '../bug.ts';

export const logBugs: readonly PlantedBug[] = [
  {
    name: 'reveal-before-sync',
    what: 'answers leave before their records are durable',
    edits: [
      {
        in: 'core/broker/engine/engine.ts#Engine.reveal',
        find: 'this.#log.durableOffset',
        replace: 'this.#log.endOffset',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'short-write-ignored',
    what: 'a short write counts as a whole one',
    edits: [
      {
        in: 'core/broker/log/disk/disk.ts#writeAll',
        find: 'while (rest.length > 0)',
        replace: 'for (let once = 0; once < 1 && rest.length > 0; once++)',
      },
      {
        in: 'core/broker/log/disk/disk.ts#writeAll',
        find: 'at - position',
        replace: 'buffers.reduce((sum, { length }) => sum + length, 0)',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'folder-not-synced',
    what: 'the name of a new segment is not made durable',
    edits: [
      {
        in: 'core/broker/log/disk/disk.ts#write',
        find: 'await folder.sync();',
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'sync-repeated',
    what: 'after a failed fdatasync the log tries once more',
    edits: [
      {
        in: 'core/broker/log/write/tail-writer.ts#TailWriter.write',
        find: 'this.#file.datasync()',
        replace: 'this.#file.datasync().catch(() => this.#file.datasync())',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'commit-proves-itself',
    what: 'a batch says that the one before it in the same write is durable',
    edits: [
      {
        in: 'core/broker/log/write/tail-writer.ts#TailWriter.write',
        find: 'batch.seal(this.#cursor, durable)',
        replace: 'batch.seal(this.#cursor, durablePoint(this.#cursor))',
      },
    ],
    caughtBy: { test: 'test/unit/broker/log/recovery.test.ts' },
  },
  {
    name: 'mark-in-same-sync',
    what: 'a tail written again in place has its mark brought to the medium by the same sync',
    edits: [
      {
        in: 'core/broker/log/recovery/tail.ts#rewriteTailInPlace',
        find: 'content: [tail]',
        replace: 'content: withMark(recovered).content',
      },
    ],
    caughtBy: { test: 'test/unit/broker/log/space.test.ts' },
  },
  {
    name: 'damage-cut-off',
    what: 'damage in what is proven durable is cut off like a torn tail',
    edits: [
      {
        in: 'core/broker/log/recovery/recover.ts#Recovery.last',
        find: "if (damageKind === 'durable') throw durableDamaged(segment, scan);",
        replace: '',
      },
    ],
    caughtBy: { test: 'test/integration/broker/log/damage.test.ts' },
  },
  {
    name: 'compaction-drops-live-job',
    what: 'compaction drops a segment that still holds jobs',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/compaction.ts#isFullyRewritten',
        find: 'oldest > upTo &&',
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'dropped-before-said-again',
    what: 'compaction drops a segment before the small state is said again',
    edits: [
      {
        in: 'core/broker/engine/compactor.ts#Compactor.#compact',
        find: 'if (!(await this.#rewriteSmallState())) return;',
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'log-start-not-awaited',
    what: 'compaction removes segments before it is durable that they are not needed',
    edits: [
      {
        in: 'core/broker/log/write/dropping.ts#Dropping.before',
        find: 'await writeLogStart(first);',
        replace: 'void writeLogStart(first).catch(() => undefined);',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'summary-leaves-out-retry',
    what: 'a summary leaves out that a dead job was retried',
    edits: [
      {
        in: 'core/broker/state-machine/records/job-records.ts#jobMeanings',
        find: 'retried: { summarize: (summary, record, { offset }) => keepEach(summary, record, offset)',
        replace: 'retried: { summarize: () => undefined',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'follow-up-lost',
    what: 'a summary leaves out the follow-up jobs of an ack',
    edits: [
      {
        in: 'core/broker/state-machine/records/lease-records.ts#leaseMeanings',
        find: 'for (const job of record.enqueue) summarizeNewJob(summary, job, record.atMs, offset);',
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'follow-up-skipped',
    what: 'a start skips the follow-up jobs of a job that was dropped',
    edits: [
      {
        in: 'core/broker/state-machine/state/broker-state.ts#BrokerState.#changes',
        find: 'this.jobs.accept(record.enqueue, place.offset, record.atMs);',
        replace:
          'if (this.jobs.get(record.id) !== undefined) { this.jobs.accept(record.enqueue, place.offset, record.atMs); }',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'pause-forgotten',
    what: 'a pause does not survive compaction',
    edits: [
      {
        in: 'core/broker/state-machine/state/broker-state.ts#BrokerState.smallState',
        find: "if (queue.paused) yield { kind: 'paused', queue: name, atMs };",
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
];
