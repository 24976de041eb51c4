/**
 * Keeps all leases of a consumer alive with one frame per third of the lease time, and gives up by
 * itself those whose deadline passed without an answer: they may be another's by then.
 */

import type { LeasedJob, Leases } from './leases.ts';

export interface LeaseKeeperOptions {
  readonly leases: Pick<Leases, 'renewable' | 'expire'>;
  /** Lease time that the broker grants, milliseconds. */
  readonly leaseMs: () => number;
  /** Renews leases in one frame; a lease that is refused is taken out of `leases`. */
  readonly renew: (leases: readonly LeasedJob[]) => Promise<unknown>;
}

export interface LeaseKeeper {
  stop(): void;
}

/** Deadlines are checked this often in one lease time. */
const checksPerLease = 12;
const renewalsPerLease = 3;
const checkMsMin = 20;

export function keepLeases({ leases, leaseMs, renew }: LeaseKeeperOptions): LeaseKeeper {
  let isRenewing = false;
  let renewedAtMs = performance.now();
  let timer: NodeJS.Timeout;

  async function renewAll(): Promise<void> {
    const renewable = leases.renewable;
    if (renewable.length === 0) return;
    isRenewing = true;
    // Without an answer the deadlines stay: the consumer reconnects by itself.
    await renew(renewable).catch(() => undefined);
    isRenewing = false;
  }

  function check(): void {
    leases.expire();
    const nowMs = performance.now();
    if (!isRenewing && nowMs - renewedAtMs >= leaseMs() / renewalsPerLease) {
      renewedAtMs = nowMs;
      void renewAll();
    }
    schedule();
  }

  function schedule(): void {
    timer = setTimeout(check, Math.max(checkMsMin, leaseMs() / checksPerLease));
  }

  schedule();
  return { stop: () => clearTimeout(timer) };
}
