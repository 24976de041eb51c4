/** Bugs in what is done for many jobs at once, or later. */

import { type PlantedBug, simulation } from '../bug.ts';

const leases = { test: 'test/unit/broker/state-machine/records/lease-records.test.ts' };

export const batchBugs: readonly PlantedBug[] = [
  {
    name: 'leases-of-the-first',
    what: 'the record of all leases of a turn gives them to the session that comes first in it',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/delivery.ts#send',
        find: 'session: sessions.indexOf(lease.session)',
        replace: 'session: sessions.indexOf(lease.session) * 0',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'acks-out-of-order',
    what: 'plain acks are logged behind an end that came after them, under the offset that they had',
    edits: [
      {
        in: 'core/broker/state-machine/requests/settle.ts#settleOne',
        find: '  acks.commit();',
        replace: '',
      },
    ],
    caughtBy: leases,
  },
  {
    name: 'note-of-an-ack-lost',
    what: 'an ack with a note is logged as a plain one',
    edits: [
      {
        in: 'core/broker/state-machine/requests/settle.ts#isPlain',
        find: "note === ''",
        replace: "note !== 'x'",
      },
    ],
    caughtBy: leases,
  },
  {
    name: 'history-overtaken',
    what: 'compaction drops records that the history has not read',
    edits: [
      {
        in: 'core/broker/engine/compactor.ts#Compactor.#compact',
        find: 'await this.#options.beforeDrop(segment.lastOffset);',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/integration/broker/search/broker.test.ts' },
  },
  {
    name: 'jobs-shift-between-threads',
    what: 'behind a refused job the jobs of an Enqueue are one off when they come to the main thread',
    edits: [
      {
        in: 'core/broker/net/pool/packed-events.ts#pack',
        find: '2 * index);',
        replace: '2 * (index - refused.length));',
      },
    ],
    caughtBy: { test: 'test/unit/broker/net/packed-events.test.ts' },
  },
];
