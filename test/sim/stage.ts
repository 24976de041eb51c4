/** What the actors of a simulation share: choices, time, the network and what there is to talk of. */

import type { Catalog } from './catalog.ts';
import type { Dice } from './dice.ts';
import type { ReachCounters } from './reach.ts';
import type { SimClock } from './simulated/sim-clock.ts';
import type { SimNet } from './simulated/sim-net.ts';
import type { Swarm } from './swarm.ts';

export interface Stage {
  readonly dice: Dice;
  readonly clock: SimClock;
  readonly net: SimNet;
  readonly swarm: Swarm;
  readonly catalog: Catalog;
  readonly reach: ReachCounters;
  /** What the provider has billed, by the number of the call's hold. */
  readonly bills: Map<number, number>;
  /** A broker is there that takes connections. */
  readonly isServing: boolean;
  /** Faults and mischief are over: everybody works off what is left. */
  readonly isCalm: boolean;
  /** No bit of the disk is wrong. */
  readonly isReadable: boolean;
  /** How often bytes changed for themselves so far. */
  readonly rots: number;
  /** Something is not as it was promised. */
  violate(text: string): void;
  /** A new id, never given before. */
  newId(): string;
}

/** Somebody who does one thing at a time. */
export interface Actor {
  act(): void;
}
