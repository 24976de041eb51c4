/** Holds one isolated run that never ends, as a consumer would, until it is killed. */

import { IsolatedRuns } from '../../core/runtime/isolated/isolated-runs.ts';
import { hostileData, hostileEntry, requestFor } from './hostile/hostile-runs.ts';
import { fakeServices } from './runtime-fakes.ts';

const runs = new IsolatedRuns({
  entry: hostileEntry,
  data: hostileData,
  processesMax: 1,
  heapMegabytesMax: 64,
  memoryMegabytesMax: 400,
  onCrash: () => {},
});
runs.run(requestFor('say who it is, and loop for ever', true), {
  hardLimitMs: 600_000,
  services: fakeServices(),
});
