/**
 * Keeps all leases of a consumer alive with one frame per third of the lease time, and gives up
 * by itself the ones whose local deadline passed without an answer: they may be another's by then.
 */

import type { Consumer, Directive, LeasedJob } from '../job-queue/index.ts';

export interface LeaseKeeperOptions {
  readonly consumer: Pick<Consumer, 'leaseMs' | 'extend'>;
  /** All leases that work is done for. */
  readonly held: () => readonly LeasedJob[];
  readonly onDirective: (leased: LeasedJob, directive: Exclude<Directive, 'none'>) => void;
  /** The lease is over, or may be: stop the work, settle nothing. */
  readonly onLost: (leased: LeasedJob, why: string) => void;
}

export interface LeaseKeeper {
  stop(): void;
}

/** Deadlines are looked at this often in one lease time. */
const checksPerLease = 12;
const renewalsPerLease = 3;
const checkMsMin = 20;

export function keepLeases(options: LeaseKeeperOptions): LeaseKeeper {
  const { consumer } = options;
  let renewing = false;
  let renewedAtMs = performance.now();
  let timer: NodeJS.Timeout;
  let stopped = false;

  async function renew(): Promise<void> {
    const leases = options.held();
    if (leases.length === 0) return;
    renewing = true;
    try {
      const answers = await consumer.extend(leases);
      answers.forEach((answer, index) => {
        const leased = leases[index];
        if (leased === undefined) return;
        if (!answer.ok) options.onLost(leased, answer.code);
        else if (answer.directive !== 'none') options.onDirective(leased, answer.directive);
      });
    } catch {
      // No answer is no news: the consumer reconnects by itself, and the deadlines stand.
    } finally {
      renewing = false;
    }
  }

  function check(): void {
    const nowMs = performance.now();
    for (const leased of options.held()) {
      if (nowMs > leased.deadlineMs) options.onLost(leased, 'its lease ran out unrenewed');
    }
    if (!renewing && nowMs - renewedAtMs >= consumer.leaseMs / renewalsPerLease) {
      renewedAtMs = nowMs;
      void renew();
    }
    if (!stopped) schedule();
  }

  function schedule(): void {
    timer = setTimeout(check, Math.max(checkMsMin, consumer.leaseMs / checksPerLease));
  }

  schedule();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
