/** Bugs by which the log would not come to rest, or somebody would wait for somebody else. */

import type { PlantedBug } from '../bug.ts';

const bulks = { test: 'test/unit/broker/state-machine/requests/bulks.test.ts' } as const;
const sessionQuotas = {
  test: 'test/unit/broker/state-machine/lifecycle/session-quotas.test.ts',
} as const;
const compactionRests = { test: 'test/unit/broker/engine/compaction-rests.test.ts' } as const;

export const restBugs: readonly PlantedBug[] = [
  {
    name: 'small-state-not-counted',
    what: 'what compaction says again of blobs, queues and bulk operations does not count as alive',
    edits: [
      {
        in: 'core/broker/state-machine/state/broker-state.ts#BrokerState.smallStateBytes',
        find: 'epochBytes + this.jobs.queues.settingsBytes + ofParts',
        replace: 'epochBytes + 0 * ofParts',
      },
    ],
    caughtBy: compactionRests,
  },
  {
    name: 'earlier-ends-not-counted',
    what: 'of what is told of the leases of a job only the last counts as alive',
    edits: [
      {
        in: 'core/broker/state-machine/state/job-extras.ts#JobExtras.countEnd',
        find: 'bytes + (isFirstOfTen ? (sinceTen ?? job.lastBytes) : job.lastBytes)',
        replace: 'bytes',
      },
    ],
    caughtBy: compactionRests,
  },
  {
    name: 'frees-only-with-traffic',
    what: 'a full disk on which nothing happens stays full',
    edits: [
      {
        in: 'core/broker/engine/engine.ts#Engine.#open',
        find: 'onPoll: () => this.#compactor?.check(this.#log),',
        replace: '',
      },
    ],
    caughtBy: compactionRests,
  },
  {
    name: 'bulk-takes-newer-jobs',
    what: 'a purge takes jobs that came after it began',
    edits: [
      {
        in: 'core/broker/state-machine/context/bulk-walk.ts#BulkWalk.#concerns',
        find: 'if (job.seq > seqMax) return false;',
        replace: '',
      },
    ],
    caughtBy: bulks,
  },
  {
    name: 'bulk-follows-newcomers',
    what: 'a bulk operation goes on with what enters its line meanwhile',
    edits: [
      {
        in: 'core/broker/state-machine/table/row-walk.ts#RowWalk.next',
        find: 'if (slot === this.#last) this.#end();',
        replace: 'if (slot === 0 || this.#rows.after(slot) === 0) this.#end();',
      },
    ],
    caughtBy: bulks,
  },
  {
    name: 'bulk-repeats-after-restart',
    what: 'a bulk operation takes jobs again that it had taken before a restart',
    edits: [
      {
        in: 'core/broker/state-machine/context/bulk-walk.ts#BulkWalk.#concerns',
        find: '(this.session !== null || job.seq >= nextSeq)',
        replace: 'nextSeq > 0',
      },
    ],
    caughtBy: bulks,
  },
  {
    name: 'bulks-one-by-one',
    what: 'a bulk operation waits until all that began before it are done',
    edits: [
      {
        in: 'core/broker/state-machine/context/bulk-runner.ts#BulkRunner.round',
        find: 'this.#walks.delete(walk.operation.bulk); this.#walks.set(walk.operation.bulk, walk);',
        replace: '',
      },
    ],
    caughtBy: bulks,
  },
  {
    name: 'queue-name-kept',
    what: 'the name of a queue of which nothing is left is never given back',
    edits: [
      {
        in: 'core/broker/state-machine/state/queue-set.ts#QueueSet.leave',
        find: 'this.#removeUnused(queue);',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/requests/names.test.ts' },
  },
  {
    name: 'names-all-to-one',
    what: 'one session may name so many queues that no name is left for others',
    edits: [
      {
        in: 'core/broker/state-machine/requests/admission.ts#Admission.#brokerIsFull',
        find: 'named < free',
        replace: 'named < Number.POSITIVE_INFINITY',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/requests/names.test.ts' },
  },
  {
    name: 'uploads-outlive-sessions',
    what: 'uploads that nobody finishes keep their places for an hour after their session',
    edits: [
      {
        in: 'core/broker/state-machine/context/core.ts#Core.forgetSession',
        find: 'this.state.uploads.sessionEnded(session.id);',
        replace: '',
      },
    ],
    caughtBy: sessionQuotas,
  },
  {
    name: 'lease-without-end',
    what: 'a lease that is renewed for ever is held for ever',
    edits: [
      {
        in: 'core/broker/state-machine/context/lease-table.ts#LeaseTable.renew',
        find: 'Math.min(nowMs + this.#options.leaseMs, lease.endsAtMs)',
        replace: 'nowMs + this.#options.leaseMs',
      },
    ],
    caughtBy: sessionQuotas,
  },
  {
    name: 'times-of-the-gone-kept',
    what: 'delays and expiries of jobs that are forgotten stay until they are due',
    edits: [
      {
        in: 'core/broker/state-machine/machine.ts#QueueMachine.tick',
        find: 'sweepDeadlines(core)',
        replace: 'false',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/bounds.test.ts' },
  },
];
