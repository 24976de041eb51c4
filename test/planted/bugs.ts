/**
 * Bugs that somebody could make, each with a test that must notice it. `npm run test:planted` plants
 * one after another and shows what caught it: a test that catches none of them proves little.
 */

import { accessBugs } from './access-bugs.ts';
import type { PlantedBug } from './bug.ts';
import { diskBugs } from './disk-bugs.ts';
import { folderBugs } from './folder-bugs.ts';
import { leaseBugs } from './lease-bugs.ts';
import { logBugs } from './log-bugs.ts';
import { netBugs } from './net-bugs.ts';
import { queueBugs } from './queue-bugs.ts';
import { restBugs } from './rest-bugs.ts';
import { runtimeBugs } from './runtime-bugs.ts';
import { timeBugs } from './time-bugs.ts';
import { trustBugs } from './trust-bugs.ts';

export const plantedBugs: readonly PlantedBug[] = [
  ...logBugs,
  ...diskBugs,
  ...leaseBugs,
  ...queueBugs,
  ...timeBugs,
  ...netBugs,
  ...restBugs,
  ...runtimeBugs,
  ...accessBugs,
  ...folderBugs,
  ...trustBugs,
];
