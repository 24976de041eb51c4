/**
 * Starts the offline endpoint, in this thread or in one of its own. Loads the server itself only
 * then: it costs some 70 ms that nobody else should pay.
 */

import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type OfflineEndpoint, offlineAddress } from './contract.ts';

/** Starts the endpoint in this thread; rejects when it cannot listen. */
export async function startOfflineEndpoint(): Promise<OfflineEndpoint> {
  const { listenOffline } = await import('./endpoint.ts');
  return listenOffline();
}

export interface ThreadReady {
  readonly baseURL: string;
  readonly apiKey: string;
}

/**
 * Starts the endpoint in a thread of its own, so that extracting from long texts never holds up the
 * one that keeps leases alive. Rejects when it cannot listen; does not keep the process alive.
 */
export async function startOfflineThread(): Promise<OfflineEndpoint> {
  // From source it is .ts, from the published package .js: whatever this file is.
  const extension = extname(fileURLToPath(import.meta.url));
  const worker = new Worker(new URL(`./offline-thread${extension}`, import.meta.url), {
    execArgv: [],
  });
  // `once` rejects when the thread fails before it is ready.
  const [{ baseURL, apiKey }] = (await once(worker, 'message')) as [ThreadReady];
  // Should the thread die later, calls find nobody at its address: that is told as any lost server is.
  worker.on('error', () => {});
  worker.unref();
  return {
    ...offlineAddress(baseURL, apiKey),
    close: async () => {
      await worker.terminate();
    },
  };
}
