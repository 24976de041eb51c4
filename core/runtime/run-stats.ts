/** Counting how leases ended, for the summary of a run. */

import { type JobUsage, noJobUsage, sumOfUsage } from './attempt/usage.ts';
import type { JobReport, RuntimeCounts } from './options.ts';

export interface RunStats {
  add(report: JobReport): void;
  counts(held: number): RuntimeCounts;
  readonly usage: JobUsage;
  readonly elapsedMs: number;
}

type Counted = Exclude<keyof RuntimeCounts, 'held'>;

export function createRunStats(): RunStats {
  const startedAtMs = performance.now();
  const counts: Record<Counted, number> = {
    done: 0,
    extracts: 0,
    superseded: 0,
    dead: 0,
    retried: 0,
    returned: 0,
    crashed: 0,
    lost: 0,
  };
  let usage = noJobUsage;
  return {
    add(report) {
      const counted = countOf(report);
      counts[counted] += 1;
      if (counted === 'done' && report.provider === 'offline') counts.extracts += 1;
      usage = sumOfUsage(usage, report.usage);
    },
    counts: (held) => ({ held, ...counts }),
    get usage() {
      return usage;
    },
    get elapsedMs() {
      return Math.round(performance.now() - startedAtMs);
    },
  };
}

const countByOutcome: Record<JobReport['outcome'], Counted> = {
  ack: 'done',
  retry: 'retried',
  throttled: 'returned',
  returned: 'returned',
  crashed: 'crashed',
  final: 'dead',
  lost: 'lost',
};

function countOf({ outcome, state, supersededBy }: JobReport): Counted {
  if (supersededBy !== '') return 'superseded';
  return state === 'dead' ? 'dead' : countByOutcome[outcome];
}
