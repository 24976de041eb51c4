/** Entry of the thread that runs the offline endpoint; `start.ts` starts it. */

import { parentPort } from 'node:worker_threads';
import { listenOffline } from './endpoint.ts';
import type { ThreadReady } from './start.ts';

const { baseURL, apiKey } = await listenOffline();
const ready: ThreadReady = { baseURL, apiKey };
parentPort?.postMessage(ready, []);
