/** One attack in alternated windows with quiet ones, and what is held against it. */

import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '../../bench/measure/figures.ts';
import { type Attack, noStock } from './attack.ts';
import type { Deeds, Orders } from './attacker.ts';
import type { Seen } from './good-client.ts';
import { newcomers, type Received } from './newcomer.ts';
import { Peer } from './peer.ts';
import { Stage } from './stage.ts';

/** Bounds that every attack is held against. */
export interface Bounds {
  /** Memory of the broker during the attacks, and when it has rested, in MiB. */
  readonly duringMiB: number;
  readonly restedMiB: number;
  /** Time that it has to give memory back. */
  readonly restSeconds: number;
}

/** Above it an attack is broken off: it would take the machine's memory. */
const breakOffMiB = 1_200;
const settleMs = 1_000;

interface Times {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Figures of one attack. */
export interface Outcome {
  readonly attack: string;
  readonly quiet: Times;
  readonly during: Times;
  /** The p99 during attacks as a multiple of the quiet one. */
  readonly factor: number;
  readonly peakMiB: number;
  /** Seconds until the memory was under its bound and stayed there; null when it was not in time. */
  readonly restedAfterSeconds: number | null;
  readonly newcomers: Received;
  readonly counts: Readonly<Record<string, number>>;
  /** Every bound that was broken, other than the factor. */
  readonly problems: string[];
}

interface Round {
  readonly seen: Seen;
  readonly deeds: Deeds;
  readonly received: Received;
}

/** Runs the attack against a broker of its own. */
export async function measure(
  attack: Attack,
  { windows, seconds, bounds }: { windows: number; seconds: number; bounds: Bounds },
): Promise<Outcome> {
  const stage = await Stage.open();
  try {
    const stock = await prepare(stage, attack);
    // Compilation of the hot path, and the first jobs of a connection, are slow.
    await stage.good(Math.min(seconds, 1));
    stage.forgetPeak();
    const attacked: Round[] = [];
    const quiet: Round[] = [];
    for (let window = 0; window < windows && stage.isAlive(); window++) {
      const orders = { attack: attack.name, burnShare: 0, seconds, stock };
      attacked.push(await round(stage, orders));
      if (!stage.isAlive() || stage.memory().peakMiB > breakOffMiB) break;
      await sleep(settleMs);
      const burnShare = attacked.at(-1)?.deeds.processorShare ?? 0;
      quiet.push(await round(stage, { ...orders, attack: null, burnShare }));
    }
    const peakMiB = stage.memory().peakMiB;
    const isBrokenOff = peakMiB > breakOffMiB;
    const restedAfterSeconds = isBrokenOff ? null : await rest(stage, bounds);
    return outcomeOf(attack, stage, { attacked, quiet, peakMiB, restedAfterSeconds, bounds });
  } finally {
    await stage.close();
  }
}

export async function prepare(stage: Stage, attack: Attack): Promise<Orders['stock']> {
  const peer = await Peer.open(stage.unix);
  const stock = (await attack.prepare?.(peer, stage.unix)) ?? noStock;
  peer.close();
  return stock;
}

/** The good client, the attack and newcomers beside each other for one window. */
export async function round(stage: Stage, orders: Omit<Orders, 'unix' | 'tcp'>): Promise<Round> {
  const isTooMuch = (): boolean => !stage.isAlive() || stage.memory().nowMiB > breakOffMiB;
  let isOver = false;
  const attacking = stage.attack(orders, isTooMuch).finally(() => {
    isOver = true;
  });
  const [seen, deeds, received] = await Promise.all([
    stage.good(orders.seconds),
    attacking,
    newcomers(stage.unix, () => isOver),
  ]);
  return { seen, deeds, received };
}

/** Waits until the broker has given its memory back. */
async function rest(stage: Stage, { restedMiB, restSeconds }: Bounds): Promise<number | null> {
  const startMs = performance.now();
  let lowSinceMs: number | null = null;
  while (stage.isAlive() && performance.now() - startMs < restSeconds * 1000) {
    await sleep(200);
    if (stage.memory().nowMiB >= restedMiB) lowSinceMs = null;
    else lowSinceMs ??= performance.now();
    const isLow = lowSinceMs !== null && performance.now() - lowSinceMs > settleMs;
    if (isLow) return ((lowSinceMs ?? 0) - startMs) / 1000;
  }
  return null;
}

interface Measured {
  readonly attacked: readonly Round[];
  readonly quiet: readonly Round[];
  readonly peakMiB: number;
  readonly restedAfterSeconds: number | null;
  readonly bounds: Bounds;
}

function outcomeOf({ name }: Attack, stage: Stage, measured: Measured): Outcome {
  const { attacked, quiet, peakMiB, restedAfterSeconds, bounds } = measured;
  const problems = attacked.flatMap(problemsOf);
  if (!stage.isAlive()) problems.push(`the broker ended: ${stage.said.slice(-300)}`);
  if (peakMiB > bounds.duringMiB) problems.push(`memory ${peakMiB.toFixed(0)} MiB`);
  if (peakMiB > breakOffMiB) problems.push('broken off');
  else if (restedAfterSeconds === null && stage.isAlive()) {
    const { nowMiB } = stage.memory();
    problems.push(`memory ${nowMiB.toFixed(0)} MiB after ${bounds.restSeconds} s of rest`);
  }
  const [calm, pressed] = [timesOf(quiet), timesOf(attacked)];
  return {
    attack: name,
    quiet: calm,
    during: pressed,
    factor: pressed.p99 / calm.p99,
    peakMiB,
    restedAfterSeconds,
    newcomers: sumOf(attacked.map(({ received }) => received)),
    counts: countsOf(attacked.map(({ deeds }) => deeds.counts)),
    problems: [...new Set(problems)],
  };
}

/** What nobody may suffer from another's requests, whatever the machine's speed. */
export function problemsOf({ seen, received }: Round): string[] {
  const problems: string[] = [];
  if (seen.leasesLost > 0) problems.push(`the good client lost ${seen.leasesLost} leases`);
  if (seen.deliveredAgain > 0) problems.push(`${seen.deliveredAgain} of its jobs came again`);
  if (seen.unserved > 0) problems.push(`${seen.unserved} of its requests were not served`);
  for (const [why, times] of received.refused) problems.push(`newcomers: ${times} times ${why}`);
  return problems;
}

/** The medians over the windows. */
function timesOf(rounds: readonly Round[]): Times {
  const sorted = rounds.map(({ seen }) => seen.latenciesMs.toSorted((a, b) => a - b));
  const at = (share: number): number =>
    median(sorted.map((one) => one[Math.ceil(one.length * share) - 1] ?? Number.NaN));
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

function sumOf(all: readonly Received[]): Received {
  const sum: Received = { served: 0, refused: new Map() };
  for (const { served, refused } of all) {
    sum.served += served;
    for (const [why, times] of refused) sum.refused.set(why, (sum.refused.get(why) ?? 0) + times);
  }
  return sum;
}

function countsOf(all: readonly Record<string, number>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const counts of all) {
    for (const [what, times] of Object.entries(counts)) sum[what] = (sum[what] ?? 0) + times;
  }
  return sum;
}
