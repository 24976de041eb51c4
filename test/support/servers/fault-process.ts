/**
 * The fault server as a process of its own, for tests that kill everything else. Prints one JSON line
 * `{baseURL, apiKey}` once it listens; `--calls FILE` appends the digest of each call's user message
 * to FILE.
 */

import { createHash } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { faults } from '../faults/index.ts';
import { faultServer } from './fault-server.ts';

const { values } = parseArgs({ options: { calls: { type: 'string' } } });
const descriptor = values.calls === undefined ? null : openSync(values.calls, 'a');

interface Message {
  readonly role: string;
  readonly content: string;
}

const server = await faultServer(faults, ({ messages }) => {
  const user = (messages as readonly Message[]).findLast(({ role }) => role === 'user');
  const digest = createHash('sha256')
    .update(user?.content ?? '')
    .digest('hex');
  // Written synchronously: a reader that saw an answer also sees its line.
  if (descriptor !== null) writeSync(descriptor, `${digest}\n`);
});
const { baseURL, apiKey } = server.provider;
process.stdout.write(`${JSON.stringify({ baseURL, apiKey })}\n`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void server.close());
}
