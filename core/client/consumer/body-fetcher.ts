/**
 * Fetches the bodies of delivered jobs that travel as blobs, one after another, so that the
 * worker of a job only ever sees it whole.
 */

import { wholeJob } from '../blobs.ts';
import type { Client } from '../client.ts';
import type { LeasedJob } from './leases.ts';

export interface BodyFetcherOptions {
  /** Carries the blobs. */
  readonly client: Pick<Client, 'request'>;
  /** The lease's job is whole now. */
  readonly onFetched: (lease: LeasedJob) => void;
  readonly onFailed: (lease: LeasedJob, error: unknown) => void;
}

export class BodyFetcher {
  readonly #options: BodyFetcherOptions;
  readonly #fetching = new Map<LeasedJob, AbortController>();
  #lastFetch: Promise<void> = Promise.resolve();

  constructor(options: BodyFetcherOptions) {
    this.#options = options;
  }

  add(lease: LeasedJob): void {
    const fetching = new AbortController();
    this.#fetching.set(lease, fetching);
    this.#lastFetch = this.#lastFetch.then(() => this.#fetch(lease, fetching.signal));
  }

  /** Gives up the fetch for a lease that was lost; false when none was under way. */
  drop(lease: LeasedJob): boolean {
    this.#fetching.get(lease)?.abort();
    return this.#fetching.delete(lease);
  }

  /** Fetches nothing more. */
  close(): void {
    for (const lease of this.#fetching.keys()) this.drop(lease);
  }

  async #fetch(lease: LeasedJob, signal: AbortSignal): Promise<void> {
    const { client, onFetched, onFailed } = this.#options;
    try {
      lease.job = await wholeJob(client, lease.job, signal);
      if (this.#fetching.delete(lease)) onFetched(lease);
    } catch (error) {
      if (this.#fetching.delete(lease)) onFailed(lease, error);
    }
  }
}
