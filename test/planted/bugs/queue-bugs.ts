/** Bugs in what the broker takes in, keeps and forgets. */

import { type PlantedBug, simulation } from '../bug.ts';

export const queueBugs: readonly PlantedBug[] = [
  {
    name: 'duplicates-forgotten',
    what: 'a job that is done is forgotten at once, and its id taken anew',
    edits: [
      {
        file: 'core/broker/state-machine/lifecycle/deadlines.ts',
        find: 'terminal.rows.length - going > keepJobs || job.changedAtMs + keepMs <= wallMs;',
        replace: 'terminal.rows.length - going > keepJobs || job.changedAtMs <= wallMs + keepMs;',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'journal-overwritten',
    what: 'a second journal put replaces the first',
    edits: [
      {
        file: 'core/broker/state-machine/requests/journal-requests.ts',
        find: `  if (existing !== undefined) {
    sendEntry(request, existing.offset);
    return;
  }
`,
        replace: '',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'blob-dropped-early',
    what: 'a blob is dropped while a result refers to it',
    edits: [
      {
        file: 'core/broker/state-machine/state/blobs.ts',
        find: `    this.#references.set(key, (this.#references.get(key) ?? 0) + 1);
    this.unreferenced.stop(key);`,
        replace: '    this.#references.set(key, (this.#references.get(key) ?? 0) + 1);',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/requests/blobs.test.ts' },
  },
  {
    name: 'accepts-on-full-disk',
    what: 'jobs are accepted while the disk is full',
    edits: [
      {
        file: 'core/broker/state-machine/requests/admission.ts',
        find: '    if (diskFull) {',
        replace: '    if (diskFull && facts.jobBytes < 0) {',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'limit-off-by-one',
    what: 'a queue takes one job more than its limit',
    edits: [
      {
        file: 'core/broker/state-machine/requests/admission.ts',
        find: 'if (jobsMax > 0 && queue.jobs + pending.jobs >= jobsMax) {',
        replace: 'if (jobsMax > 0 && queue.jobs + pending.jobs > jobsMax) {',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'batch-half-accepted',
    what: 'an atomic batch is accepted without the jobs that were refused',
    edits: [
      {
        file: 'core/broker/state-machine/requests/enqueue.ts',
        find: "  if (answers.some(({ outcome }) => outcome === 'refused')) {",
        replace: "  if (answers.every(({ outcome }) => outcome === 'refused')) {",
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'delay-cut-short',
    what: 'a job with a time of day is delivered after its delay alone',
    edits: [
      {
        file: 'core/broker/state-machine/requests/admission.ts',
        find: 'const waitMs = Math.max(facts.runAtMs - systemMs, facts.delayMs);',
        replace: 'const waitMs = facts.delayMs || facts.runAtMs - systemMs;',
      },
    ],
    caughtBy: simulation,
  },
];
