/**
 * What one seed is about: a random subset of features and faults with random sizes, so that rare
 * mixes occur and no fault drowns the others.
 */

import type { Dice } from './dice.ts';
import type { DiskFaults } from './simulated/sim-disk.ts';

export interface Swarm {
  readonly producers: number;
  readonly consumers: number;
  readonly queues: readonly string[];
  /** Jobs share so many ids: few make conflicts and repetitions. */
  readonly ids: number;
  readonly bodyBytesMax: number;
  readonly leaseMs: number;
  readonly resumeMs: { readonly unix: number; readonly tcp: number };
  readonly segmentBytesMax: number;
  /** With little memory for it, most of the log is read from the disk. */
  readonly cacheBytesMax: number;
  readonly keepMs: number;
  readonly keepJobs: number;
  readonly crashesMax: number;
  readonly returnsMax: number;
  readonly returnsMsMax: number;
  /** Of the connections, how many are slow. */
  readonly slowShare: number;
  /** Messages go through their bytes. */
  readonly frames: boolean;
  readonly features: ReadonlySet<Feature>;
  /** Weight of each fault in every step; 0 when this seed is not about it. */
  readonly faults: Readonly<Record<Fault, number>>;
  readonly disk: DiskFaults;
}

const features = [
  'priorities',
  'delays',
  'expiry',
  'parking',
  'tags',
  'followUps',
  'results',
  'outputs',
  'journal',
  'blobs',
  'limits',
  'bulk',
  'pauses',
  'atomic',
  'retention',
  'money',
  'batches',
] as const;
export type Feature = (typeof features)[number];

const faults = {
  kill: 0.004,
  powerCut: 0.004,
  cut: 0.01,
  stall: 0.01,
  jump: 0.01,
  pause: 0.004,
  quiet: 0.001,
  swap: 0.001,
  fullDisk: 0.004,
  exhaust: 0.01,
  lostEnd: 0.003,
  rot: 0.002,
  stop: 0.002,
} as const;
export type Fault = keyof typeof faults;

export function swarmOf(dice: Dice): Swarm {
  const queues = ['alpha', 'beta', 'gamma'].slice(0, dice.between(1, 3));
  const leaseMs = dice.pick([200, 500, 1_000, 5_000]);
  const returnsMax = dice.pick([3, 1_000]);
  return {
    producers: dice.between(1, 3),
    consumers: dice.between(1, 4),
    queues,
    ids: dice.pick([8, 40, 100_000]),
    bodyBytesMax: dice.pick([20, 200, 2_000]),
    leaseMs,
    resumeMs: { unix: dice.pick([50, 300]), tcp: dice.pick([100, 2_000]) },
    segmentBytesMax: dice.pick([4_096, 16_384, 65_536]),
    cacheBytesMax: dice.pick([0, 10_000, 4 * 1024 * 1024]),
    keepMs: dice.pick([500, 60_000, 86_400_000]),
    keepJobs: dice.pick([5, 50, 1_000_000]),
    crashesMax: returnsMax === 3 ? 3 : 100,
    returnsMax,
    returnsMsMax: dice.pick([5_000, 7 * 86_400_000]),
    slowShare: dice.pick([0, 0, 0.3, 0.8]),
    frames: dice.chance(0.1),
    features: new Set(features.filter(() => dice.chance(0.6))),
    faults: faultsOf(dice),
    disk: diskFaultsOf(dice),
  };
}

function faultsOf(dice: Dice): Record<Fault, number> {
  const weights: Record<string, number> = {};
  for (const [fault, weight] of Object.entries(faults)) {
    weights[fault] = dice.chance(0.5) ? weight * dice.pick([0.5, 1, 2]) : 0;
  }
  return weights;
}

function diskFaultsOf(dice: Dice): DiskFaults {
  const sometimes = (rate: number): number => (dice.chance(0.2) ? rate : 0);
  return {
    shortWrite: sometimes(0.1),
    failedWrite: sometimes(0.005),
    failedSync: sometimes(0.005),
    failedRead: sometimes(0.005),
    failedName: sometimes(0.01),
  };
}
