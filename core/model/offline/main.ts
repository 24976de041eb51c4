/**
 * The offline endpoint as a process of its own, for tests that kill everything else. Prints one JSON
 * line `{baseURL, apiKey}` once it listens; `--calls FILE` appends every call's start and end to FILE as JSON lines.
 */

import { openSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { OfflineCall } from './contract.ts';
import { listenOffline } from './endpoint.ts';

const { values } = parseArgs({
  options: {
    calls: { type: 'string' },
    port: { type: 'string', default: '0' },
    key: { type: 'string' },
  },
});

const endpoint = await listenOffline({
  port: Number(values.port),
  ...(values.key === undefined ? {} : { apiKey: values.key }),
  ...(values.calls === undefined ? {} : { onCall: callLog(values.calls) }),
});

process.stdout.write(`${JSON.stringify({ baseURL: endpoint.baseURL, apiKey: endpoint.apiKey })}\n`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void endpoint.close());
}

/** Written synchronously: a reader that saw an answer also sees its line. */
function callLog(file: string): (call: OfflineCall) => void {
  const descriptor = openSync(file, 'a');
  return (call) => {
    writeSync(descriptor, `${JSON.stringify(call)}\n`);
  };
}
