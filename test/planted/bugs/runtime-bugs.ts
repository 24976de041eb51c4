/** Bugs in the wire format, in publishing results and in running jobs. */

import type { PlantedBug } from '../bug.ts';

export const runtimeBugs: readonly PlantedBug[] = [
  {
    name: 'frame-without-bound',
    what: 'a frame may announce any length',
    edits: [
      {
        file: 'core/protocol/frame.ts',
        find: `    if (bodyBytes > this.#frameBytesMax) throw tooLarge(bodyBytes, this.#frameBytesMax);
`,
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
        file: 'core/output/store.ts',
        find: `    await staged.sync();
    await staged.close();
    await context.step('synced');
    signal?.throwIfAborted();
`,
        replace: `    signal?.throwIfAborted();
`,
      },
      {
        file: 'core/output/store.ts',
        find: '      return { record, generation: 0 };',
        replace: `      await staged.sync();
      await staged.close();
      await context.step('synced');
      return { record, generation: 0 };`,
      },
    ],
    caughtBy: { test: 'test/integration/output/store.test.ts' },
  },
  {
    name: 'rename-instead-of-link',
    what: 'a published file replaces what another job has put there',
    edits: [
      {
        file: 'core/output/roll-forward.ts',
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
        file: 'core/output/records.ts',
        find: '    await link(`${tree.staged.at}/${from}`, `${tree.commit.at}/${name}`);',
        replace: '    await rename(`${tree.staged.at}/${from}`, `${tree.commit.at}/${name}`);',
      },
      {
        file: 'core/output/records.ts',
        find: "import { link, open } from 'node:fs/promises';",
        replace: "import { open, rename } from 'node:fs/promises';",
      },
    ],
    caughtBy: { test: 'test/integration/output/races.test.ts' },
  },
  {
    name: 'answer-not-kept',
    what: 'a paid answer is used before it is kept in the journal',
    edits: [
      {
        file: 'core/runtime/attempt/paid-once.ts',
        find: '    const stored = await orAborted(journal.put(callHash, bytes), signal);',
        replace: '    const stored = bytes;',
      },
    ],
    caughtBy: { test: 'test/unit/runtime/attempt/paid-once.test.ts' },
  },
  {
    name: 'unknown-end-is-whole',
    what: 'an answer with an unknown finish reason becomes a file',
    edits: [
      {
        file: 'core/model/answer/finish.ts',
        find: "!name.startsWith('function_call') ? 'filtered' : 'other';",
        replace: "!name.startsWith('function_call') ? 'filtered' : 'whole';",
      },
    ],
    caughtBy: { test: 'test/integration/model/fault-matrix.test.ts' },
  },
  {
    name: 'end-made-up',
    what: 'JSON that broke off is an answer as far as it came',
    edits: [
      {
        file: 'core/model/answer/find-json.ts',
        find: '      if (end === -1) return { texts, isCut: true };',
        replace: '      if (end === -1) continue;',
      },
    ],
    caughtBy: { test: 'test/unit/model/answers.test.ts' },
  },
  {
    name: 'suspect-in-pool',
    what: 'a job behind which a crash lies runs beside others',
    edits: [
      {
        file: 'core/runtime/leases/lease-supervisor.ts',
        find: '(leased.isolated ? isolated : pool).run(',
        replace: 'pool.run(',
      },
    ],
    caughtBy: { test: 'test/unit/runtime/leases/lease-supervisor.test.ts' },
  },
];
