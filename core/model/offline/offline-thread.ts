/** Entry of the thread that runs the offline endpoint; `start.ts` starts it. */

import { parentPort, workerData } from 'node:worker_threads';
import { createCounters } from './counters.ts';
import { listenOffline } from './endpoint.ts';
import type { ThreadReady, ThreadSettings } from './start.ts';

const { counters, host, port, apiKey } = workerData as ThreadSettings;
const endpoint = await listenOffline({
  counters: createCounters(counters),
  ...(host === undefined ? {} : { host }),
  ...(port === undefined ? {} : { port }),
  ...(apiKey === undefined ? {} : { apiKey }),
});
const ready: ThreadReady = { baseURL: endpoint.baseURL, apiKey: endpoint.apiKey };
parentPort?.postMessage(ready, []);
