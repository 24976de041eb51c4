/**
 * Bugs that somebody could make, each with a test that must notice it. `npm run test:planted` plants
 * one after another and shows what caught it: a test that catches none of them proves little.
 */

import type { PlantedBug } from './bug.ts';
import { accessBugs } from './bugs/access-bugs.ts';
import { batchBugs } from './bugs/batch-bugs.ts';
import { diskBugs } from './bugs/disk-bugs.ts';
import { folderBugs } from './bugs/folder-bugs.ts';
import { leaseBugs } from './bugs/lease-bugs.ts';
import { logBugs } from './bugs/log-bugs.ts';
import { moneyBugs } from './bugs/money-bugs.ts';
import { netBugs } from './bugs/net-bugs.ts';
import { queueBugs } from './bugs/queue-bugs.ts';
import { restBugs } from './bugs/rest-bugs.ts';
import { runtimeBugs } from './bugs/runtime-bugs.ts';
import { timeBugs } from './bugs/time-bugs.ts';
import { trustBugs } from './bugs/trust-bugs.ts';

export const plantedBugs: readonly PlantedBug[] = [
  ...logBugs,
  ...diskBugs,
  ...leaseBugs,
  ...queueBugs,
  ...timeBugs,
  ...netBugs,
  ...moneyBugs,
  ...restBugs,
  ...runtimeBugs,
  ...accessBugs,
  ...folderBugs,
  ...trustBugs,
  ...batchBugs,
];
