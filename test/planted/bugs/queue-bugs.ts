/** Bugs in what the broker takes in, keeps and forgets. */

import { type PlantedBug, simulation } from '../bug.ts';

export const queueBugs: readonly PlantedBug[] = [
  {
    name: 'duplicates-forgotten',
    what: 'a job that is done is forgotten at once, and its id taken anew',
    edits: [
      {
        in: 'core/broker/state-machine/lifecycle/deadlines.ts#retentionOf',
        find: 'job.changedAtMs + keepMs <= wallMs',
        replace: 'job.changedAtMs <= wallMs + keepMs',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'journal-overwritten',
    what: 'a second journal put replaces the first',
    edits: [
      {
        in: 'core/broker/state-machine/requests/journal-requests.ts#putHeldEntry',
        find: 'if (existing !== undefined) {',
        replace: 'if (existing === null) {',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'blob-dropped-early',
    what: 'a blob is dropped while a result refers to it',
    edits: [
      {
        in: 'core/broker/state-machine/state/blobs.ts#BlobStore.addRef',
        find: 'this.unreferenced.stop(key);',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/unit/broker/state-machine/requests/blobs.test.ts' },
  },
  {
    name: 'accepts-on-full-disk',
    what: 'jobs are accepted while the disk is full',
    edits: [
      {
        in: 'core/broker/state-machine/requests/admission.ts#Admission.#refusal',
        find: 'if (diskFull)',
        replace: 'if (diskFull && facts.jobBytes < 0)',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'limit-off-by-one',
    what: 'a queue takes one job more than its limit',
    edits: [
      {
        in: 'core/broker/state-machine/requests/admission.ts#Admission.#queueIsFull',
        find: 'queue.jobs + pending.jobs >= jobsMax',
        replace: 'queue.jobs + pending.jobs > jobsMax',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'batch-half-accepted',
    what: 'an atomic batch is accepted without the jobs that were refused',
    edits: [
      {
        in: 'core/broker/state-machine/requests/enqueue.ts#acceptAll',
        find: 'answers.some(',
        replace: 'answers.every(',
      },
    ],
    caughtBy: simulation,
  },
  {
    name: 'delay-cut-short',
    what: 'a job with a time of day is delivered after its delay alone',
    edits: [
      {
        in: 'core/broker/state-machine/requests/admission.ts#Admission.#admit',
        find: 'Math.max(facts.runAtMs - systemMs, facts.delayMs)',
        replace: 'facts.delayMs || facts.runAtMs - systemMs',
      },
    ],
    caughtBy: simulation,
  },
];
