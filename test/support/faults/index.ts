/** Every fault that a server of models was seen to have, and what a job must make of it. */

import { contentFaults, counts, endings } from './endings.ts';
import type { Fault } from './fault.ts';
import { refusals, waysAround } from './refusals.ts';
import { toolFaults, transport } from './transport.ts';

export type { Fault, FaultAgent, FaultEnd } from './fault.ts';

export const faults: readonly Fault[] = [
  ...refusals,
  ...waysAround,
  ...transport,
  ...endings,
  ...contentFaults,
  ...counts,
  ...toolFaults,
];
