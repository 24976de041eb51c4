/** Starts the offline endpoint in a thread of its own. */

import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { offlineModel, type Provider } from '../model/index.ts';

export interface OfflineEndpoint {
  readonly baseURL: string;
  readonly apiKey: string;
  readonly provider: Provider;
  /** Ends running calls and frees the port. */
  close(): Promise<void>;
}

/** What the thread posts once it listens. */
export interface ThreadReady {
  readonly baseURL: string;
  readonly apiKey: string;
}

/**
 * Starts the endpoint in a worker thread, so that extracting from long texts never blocks the thread
 * that renews leases. Does not keep the process alive. Rejects when the thread cannot listen.
 */
export async function startOfflineThread(): Promise<OfflineEndpoint> {
  // From source it is .ts, from the published package .js: whatever this file is.
  const extension = extname(fileURLToPath(import.meta.url));
  const worker = new Worker(new URL(`./offline-thread${extension}`, import.meta.url), {
    execArgv: [],
  });
  // `once` rejects when the thread fails before it is ready.
  const [{ baseURL, apiKey }] = (await once(worker, 'message')) as [ThreadReady];
  // A thread that dies later is reported by the calls, which can no longer connect.
  worker.on('error', () => {});
  worker.unref();
  return {
    baseURL,
    apiKey,
    provider: { name: 'offline', kind: 'offline', baseURL, apiKey, defaultModel: offlineModel },
    close: async () => {
      await worker.terminate();
    },
  };
}
