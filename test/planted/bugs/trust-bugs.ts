/** Bugs in what a folder may do with keys and code, and in what of an input is never shown. */

import type { PlantedBug } from '../bug.ts';

export const trustBugs: readonly PlantedBug[] = [
  {
    name: 'key-sent-unasked',
    what: 'the models of an address are listed with the key before anybody allowed it',
    edits: [
      {
        in: 'core/model/provider/provider.ts#at',
        find: 'await query.allow(useOf(query, { name, baseURL, variables: address.variables }));',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/unit/model/provider.test.ts' },
  },
  {
    name: 'code-run-unasked',
    what: 'a consumer runs the tool modules of its agents without asking',
    edits: [
      {
        in: 'core/runtime/start-consumer.ts#startConsumer',
        find: 'await trust.allow(rest.agents.flatMap(jobNeeds));',
        replace: '',
      },
    ],
    caughtBy: { test: 'test/integration/api/trust.test.ts' },
  },
  {
    name: 'validate-runs-modules',
    what: 'a module is run where it was only to be read',
    edits: [
      {
        in: 'core/tools/check-thread.ts#result',
        find: "how === 'run' ? await check() : read()",
        replace: 'await check()',
      },
    ],
    caughtBy: { test: 'test/integration/tools/modules.test.ts' },
  },
  {
    name: 'forged-permission',
    what: 'a record of what was allowed is believed whatever it lists',
    edits: [
      {
        in: 'core/trust/records.ts#readFile',
        find: 'digestOf(record.needs) === record.digest',
        replace: 'digestOf(record.needs) !== null',
      },
    ],
    caughtBy: { test: 'test/unit/trust/trust.test.ts' },
  },
  {
    name: 'secret-in-the-prompt-file',
    what: 'a secret input stands in the prompt that is kept',
    edits: [
      {
        in: 'core/runtime/attempt/prompts.ts#shown',
        find: 'withoutTexts(text, secrets)',
        replace: 'withoutTexts(text, new Set())',
      },
    ],
    caughtBy: { test: 'test/unit/runtime/attempt/prompts.test.ts' },
  },
  {
    name: 'fence-known-beforehand',
    what: 'the fence of a job follows from its id alone, which whoever names jobs may know',
    edits: [
      {
        in: 'core/agent/compile.ts#fenceOf',
        find: 'update(`${round}\\n${id}\\n${text}`)',
        replace: 'update(`${round}\\n${id}`)',
      },
    ],
    caughtBy: { test: 'test/unit/agent/templates.test.ts' },
  },
];
