/** Bugs by which the log would not come to rest, or somebody would wait for somebody else. */

import type { PlantedBug } from './bug.ts';

const compactionRests = { test: 'test/unit/broker/compaction-rests.test.ts' } as const;

export const restBugs: readonly PlantedBug[] = [
  {
    name: 'small-state-not-counted',
    what: 'what compaction says again of blobs, queues and bulk operations does not count as alive',
    edits: [
      {
        file: 'core/broker/queue/state.ts',
        find: 'return epochBytes + queues.settingsBytes + this.bulks.restateBytes + this.blobs.restateBytes;',
        replace: 'return epochBytes + 0 * queues.settingsBytes;',
      },
    ],
    caughtBy: compactionRests,
  },
  {
    name: 'earlier-ends-not-counted',
    what: 'of what is told of the leases of a job only the last counts as alive',
    edits: [
      {
        file: 'core/broker/queue/told-bytes.ts',
        find: 'job.lastBytes = bytes + (isFirstOfTen ? (sinceTen ?? job.lastBytes) : job.lastBytes);',
        replace: 'job.lastBytes = bytes;',
      },
    ],
    caughtBy: compactionRests,
  },
  {
    name: 'frees-only-with-traffic',
    what: 'a full disk on which nothing happens stays full',
    edits: [
      {
        file: 'core/broker/engine.ts',
        find: `      onPoll: () => this.#compactor?.look(this.#log),
`,
        replace: '',
      },
    ],
    caughtBy: compactionRests,
  },
];
