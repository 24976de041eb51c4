/** Operations on many jobs: begun by one request, done by the broker step by step, awaited here. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type BackoffRange, backoffMs } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import { AiqError, type Message } from '../../protocol/index.ts';
import type { BulkOptions } from '../port.ts';

const polls: BackoffRange = { minMs: 10, maxMs: 500 };

/** Waits until the operation is done; resolves with the number of jobs that it changed. */
export async function finishBulk(
  client: Pick<Client, 'request'>,
  begun: Message<'BulkOk'>,
  { onProgress, signal }: BulkOptions = {},
): Promise<number> {
  let answer = begun;
  onProgress?.(answer.touched);
  for (let asked = 1; !answer.done; asked++) {
    await sleep(backoffMs(asked, polls), undefined, { signal });
    answer = await progressOf(client, answer, signal);
    onProgress?.(answer.touched);
  }
  return answer.touched;
}

/** The broker reports ended operations for a while; one that it has forgotten is done. */
async function progressOf(
  client: Pick<Client, 'request'>,
  known: Message<'BulkOk'>,
  signal: AbortSignal | undefined,
): Promise<Message<'BulkOk'>> {
  try {
    return await client.request('Bulk', { bulk: known.bulk }, { signal });
  } catch (error) {
    if (error instanceof AiqError && error.code === 'NOT_FOUND') return { ...known, done: true };
    throw error;
  }
}
