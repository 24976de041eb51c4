/** Entry of the thread that runs the offline endpoint; `thread.ts` starts it. */

import { parentPort, workerData } from 'node:worker_threads';
import { createCounters } from './counters.ts';
import { startOfflineEndpoint } from './endpoint.ts';
import type { ThreadReady, ThreadSettings } from './thread.ts';

const { counters, host, port, apiKey } = workerData as ThreadSettings;
const endpoint = await startOfflineEndpoint({
  counters: createCounters(counters),
  ...(host === undefined ? {} : { host }),
  ...(port === undefined ? {} : { port }),
  ...(apiKey === undefined ? {} : { apiKey }),
});
const ready: ThreadReady = { baseURL: endpoint.baseURL, apiKey: endpoint.apiKey };
parentPort?.postMessage(ready, []);
