/**
 * Deliveries whose bodies are blobs: fetched one after another, under leases that are renewed
 * meanwhile, so that whoever works on a job only ever sees it whole.
 */

import type { Client, Lease, Consumer as Session } from '../../client/index.ts';
import { AiqError, type ErrorCode, noUsage } from '../../protocol/index.ts';
import type { ConsumeOptions } from '../port-consumer.ts';
import { wholeJob } from './values.ts';

/** A job whose body cannot be had now waits this long before someone else may try. */
const unreadableDelayMs = 5_000;
/** Renewals in each lease time. */
const renewalsPerLease = 3;

type Holder = Pick<Session, 'leaseMs' | 'extend' | 'settle'>;

export class BodyFetcher {
  readonly #client: Pick<Client, 'request'>;
  readonly #options: Pick<ConsumeOptions, 'onDelivery' | 'onLeaseLost'>;
  readonly #fetching = new Map<Lease, AbortController>();
  #line: Promise<void> = Promise.resolve();
  #renewal: NodeJS.Timeout | undefined;

  constructor(
    client: Pick<Client, 'request'>,
    options: Pick<ConsumeOptions, 'onDelivery' | 'onLeaseLost'>,
  ) {
    this.#client = client;
    this.#options = options;
  }

  take(lease: Lease, holder: Holder): void {
    if (lease.job.bodyRef === null) {
      this.#options.onDelivery(lease);
      return;
    }
    const fetching = new AbortController();
    this.#fetching.set(lease, fetching);
    this.#renewal ??= setInterval(() => this.#renew(holder), holder.leaseMs / renewalsPerLease);
    this.#line = this.#line.then(() => this.#fetch(lease, holder, fetching.signal));
  }

  /** A lease that ended before its job was handed on is nobody's loss. */
  lost(lease: Lease, code: ErrorCode): void {
    const fetching = this.#fetching.get(lease);
    if (fetching === undefined) this.#options.onLeaseLost(lease, code);
    else this.#end(lease, fetching);
  }

  /** Fetches nothing more; what was not handed on goes back with the session. */
  close(): void {
    for (const [lease, fetching] of this.#fetching) this.#end(lease, fetching);
  }

  async #fetch(lease: Lease, holder: Holder, signal: AbortSignal): Promise<void> {
    try {
      const job = await wholeJob(this.#client, lease.job, signal);
      if (!this.#forget(lease)) return;
      lease.job = job;
      this.#options.onDelivery(lease);
    } catch (error) {
      if (this.#forget(lease)) await handBack(lease, holder, error);
    }
  }

  /** A renewal that is refused comes back as `lost`; one that fails is tried again in time. */
  #renew(holder: Holder): void {
    holder.extend([...this.#fetching.keys()]).catch(() => undefined);
  }

  #end(lease: Lease, fetching: AbortController): void {
    this.#forget(lease);
    fetching.abort();
  }

  /** False when the lease is over already. */
  #forget(lease: Lease): boolean {
    const wasFetching = this.#fetching.delete(lease);
    if (this.#fetching.size === 0) {
      clearInterval(this.#renewal);
      this.#renewal = undefined;
    }
    return wasFetching;
  }
}

/** A body that the broker does not have will not come back; anything else may go better elsewhere. */
async function handBack(lease: Lease, holder: Holder, error: unknown): Promise<void> {
  const { code, message } =
    error instanceof AiqError ? error : new AiqError('INTERNAL', String(error));
  const settlement = {
    outcome: code === 'NO_BLOB' ? ('final' as const) : ('returned' as const),
    delayMs: code === 'NO_BLOB' ? 0 : unreadableDelayMs,
    errorCode: code.toLowerCase(),
    errorMessage: `the job's body could not be fetched: ${message}`,
    note: '',
    usage: noUsage,
    result: null,
    enqueue: [],
    park: null,
  };
  await holder.settle(lease, settlement).catch(() => undefined);
}
