/**
 * Runs the offline endpoint in a thread of its own, so that extracting from long texts never holds up
 * the thread that keeps leases alive.
 */

import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { countersBytes, createCounters } from './counters.ts';
import { type OfflineEndpoint, offlineAddress } from './endpoint.ts';

export interface ThreadSettings {
  readonly counters: SharedArrayBuffer;
  readonly host?: string;
  readonly port?: number;
  readonly apiKey?: string;
}

export interface ThreadReady {
  readonly baseURL: string;
  readonly apiKey: string;
}

/** Rejects when the endpoint cannot listen. The thread does not keep the process alive. */
export async function startOfflineThread(
  options: Omit<ThreadSettings, 'counters'> = {},
): Promise<OfflineEndpoint> {
  const counters = new SharedArrayBuffer(countersBytes);
  // From source it is .ts, from the published package .js: whatever this file is.
  const extension = extname(fileURLToPath(import.meta.url));
  const worker = new Worker(new URL(`./offline-thread${extension}`, import.meta.url), {
    workerData: { ...options, counters } satisfies ThreadSettings,
    execArgv: [],
  });
  // `once` rejects when the thread fails before it is ready.
  const [{ baseURL, apiKey }] = (await once(worker, 'message')) as [ThreadReady];
  worker.unref();
  return {
    ...offlineAddress(baseURL, apiKey),
    counts: () => createCounters(counters).read(),
    close: async () => {
      await worker.terminate();
    },
  };
}
