/** The targets of the comparison, and how far they are met. */

import { median } from '../measure/figures.ts';
import type { Figure } from '../parts/part.ts';
import { bestOf, pairs, type Results, type Series, seriesOf, taken } from './results.ts';

interface Target {
  readonly title: string;
  readonly must: number | null;
  readonly stretch: number | null;
  readonly better: Figure['better'];
  readonly unit: string;
  readonly digits: number;
  /** Null when it was not measured. */
  readonly valueOf: (results: Results) => number | null;
}

export type TargetResult = Omit<Target, 'valueOf'> & { readonly value: number | null };

export function targetsOf(results: Results): TargetResult[] {
  return targets.map(({ valueOf, ...target }) => ({ ...target, value: valueOf(results) }));
}

/** Null when it was not measured. */
export function isMet({ value, better }: TargetResult, limit: number): boolean | null {
  if (value === null) return null;
  return better === 'more' ? value >= limit : value <= limit;
}

/** Limits of a row: must and stretch. */
type Limits = readonly [must: number | null, stretch: number | null];

const targets: readonly Target[] = [
  againstBest('enqueue one by one', 'one-by-one', [1.2, 2]),
  againstBest('enqueue in bulk, one connection', 'bulk', [1.2, 2]),
  againstBest('enqueue in bulk, sixteen connections', 'bulk-16', [1.5, 3]),
  againstBest('consume a no-op job, 64 at once', 'consume', [1, 2]),
  againstBest('both at once', 'both', [1, 1.5]),
  against('jetstream', 'both at once', ['both', 'perSecond', 'more'], [null, 1]),
  against('rabbitmq', 'p50 at 200 a second', ['latency', 'p50Ms', 'less'], [1, null]),
  against('rabbitmq', 'p99 at 200 a second', ['latency', 'p99Ms', 'less'], [1.5, null]),
  against('beanstalkd', 'p50 at 200 a second', ['latency', 'p50Ms', 'less'], [null, 1]),
  against('beanstalkd', 'p99 at 200 a second', ['latency', 'p99Ms', 'less'], [null, 1]),
  leastAgainst('rabbitmq', 'server processor time a job', 'serverMicros', [1, null]),
  leastAgainst('jetstream', 'server processor time a job', 'serverMicros', [null, 1]),
  leastAgainst('rabbitmq', 'clients processor time a job', 'clientMicros', [1.5, 1]),
  own('system calls a job, in bulk', ['syscalls', 'calls'], [1, 0.2], { digits: 2 }),
  own('memory of a queued job at half the backlog', ['memory', 'memory0.5'], [200, 120], bytes()),
  own('log of a job of 200 bytes, acknowledged', ['log-bytes', 'bareBytes'], [350, 300], bytes()),
  own('restart after a clean stop', ['restart', 'cleanMs'], [3_000, 1_000], { unit: ' ms' }),
  own('restart after SIGKILL', ['restart', 'killMs'], [3_000, 1_000], { unit: ' ms' }),
  own('share of the disk, jobs of 1 KiB', ['disk-share', 'small'], [20, 40], share()),
  own('share of the disk, jobs of 64 KiB', ['disk-share', 'large'], [50, 80], share()),
  own('rate at the whole backlog, of that at 1 %', ['growth', 'growth'], [0.8, 0.95], ratio()),
  own('search of the whole backlog, slowest kind', ['search', 'slowestMs'], [100, null], {
    unit: ' ms',
  }),
  {
    title: 'p50 with 1,000 connections, of that with 16',
    must: 3,
    stretch: 1.5,
    better: 'less',
    unit: ' ×',
    digits: 2,
    valueOf: (results) => {
      const [many, few] = [1_000, 16].map((count) =>
        aiqOf(seriesOf(results, 'connections', `p50Ms${count}`)),
      );
      return many == null || few == null ? null : medianOf(pairs(many, few));
    },
  },
];

function againstBest(what: string, part: string, [must, stretch]: Limits): Target {
  return {
    title: `${what}, against the best durable peer`,
    must,
    stretch,
    better: 'more',
    unit: ' ×',
    digits: 2,
    valueOf: (results) => {
      const durable = results.peers.filter(({ isDurable }) => isDurable).map(({ name }) => name);
      const series = seriesOf(results, part, 'perSecond');
      const others = series.filter(({ peer }) => peer !== 'aiq' && durable.includes(peer));
      return ratioOf(aiqOf(series), bestOf(others, 'more'));
    },
  };
}

function against(
  peer: string,
  what: string,
  [part, key, better]: readonly [string, string, Figure['better']],
  [must, stretch]: Limits,
): Target {
  return {
    title: `${what}, against ${peer}`,
    must,
    stretch,
    better,
    unit: ' ×',
    digits: 2,
    valueOf: (results) => {
      const series = seriesOf(results, part, key);
      return ratioOf(aiqOf(series), series.find((one) => one.peer === peer) ?? null);
    },
  };
}

/** Of processor time the least counts: pauses of the machine are billed, too. */
function leastAgainst(peer: string, what: string, key: string, [must, stretch]: Limits): Target {
  return {
    title: `${what}, both at once, least, against ${peer}`,
    must,
    stretch,
    better: 'less',
    unit: ' ×',
    digits: 2,
    valueOf: (results) => {
      const series = seriesOf(results, 'processor-time', key);
      const [aiq, other] = ['aiq', peer].map((name) => series.find((one) => one.peer === name));
      if (aiq === undefined || other === undefined) return null;
      const value = Math.min(...taken(aiq)) / Math.min(...taken(other));
      return Number.isFinite(value) ? value : null;
    },
  };
}

type Look = Partial<Pick<Target, 'unit' | 'digits' | 'better'>>;

function own(
  title: string,
  [part, key]: readonly [string, string],
  [must, stretch]: Limits,
  look: Look,
): Target {
  const valueOf = (results: Results): number | null => {
    const series = aiqOf(seriesOf(results, part, key));
    return series === null ? null : medianOf(taken(series));
  };
  return { title, must, stretch, better: 'less', unit: '', digits: 0, ...look, valueOf };
}

function bytes(): Look {
  return { unit: ' bytes' };
}

function share(): Look {
  return { unit: ' %', digits: 1, better: 'more' };
}

function ratio(): Look {
  return { unit: ' ×', digits: 2, better: 'more' };
}

function aiqOf(series: readonly Series[]): Series | null {
  return series.find(({ peer }) => peer === 'aiq') ?? null;
}

function ratioOf(aiq: Series | null, peer: Series | null): number | null {
  return aiq === null || peer === null ? null : medianOf(pairs(aiq, peer));
}

function medianOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : median(values);
}
