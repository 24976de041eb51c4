/** Holds one isolated run that never ends, as a consumer would, until it is killed. */

import { IsolatedRuns } from '../../core/runtime/isolated/isolated-runs.ts';
import { fakeJournal } from './runtime-fakes.ts';

const runs = new IsolatedRuns({
  entry: new URL('./hostile/hostile-thread.ts', import.meta.url),
  data: {
    agents: [],
    prices: {},
    idleMs: 0,
    answerBytesMax: 0,
    baseDir: '/',
    outputDir: '/',
    jobOutputDirs: true,
  },
  processesMax: 1,
  heapMegabytesMax: 64,
  memoryMegabytesMax: 400,
  onCrash: () => {},
});
runs.run(
  {
    id: 'job',
    agent: 'agent',
    body: new Uint8Array(),
    source: 'say who it is, and loop for ever',
    createdAtMs: 0,
    attempt: 1,
    isRedelivery: true,
  },
  { hardLimitMs: 600_000, journal: fakeJournal() },
);
