/** The part of the port that operators use: jobs, queues and the broker itself. */

import type { Client } from '../../client/index.ts';
import { type ItemAnswer, limits } from '../../protocol/index.ts';
import type { JobQueue } from '../port.ts';
import type { Settled } from '../port-consumer.ts';
import { settledOf } from './answers.ts';
import { finishBulk } from './bulk.ts';

type Operations =
  | ('cancel' | 'retry' | 'pause' | 'resume' | 'configureQueue' | 'shutdown')
  | ('purge' | 'retryDead' | 'signal');

export function operationsOf(client: Pick<Client, 'request'>): Pick<JobQueue, Operations> {
  return {
    cancel: (ids) => forEach(ids, async (some) => client.request('Cancel', { ids: some })),
    retry: (ids) => forEach(ids, async (some) => client.request('Retry', { ids: some })),
    async pause(queue) {
      await client.request('Pause', { queue });
    },
    async resume(queue) {
      await client.request('Unpause', { queue });
    },
    async configureQueue(queue, settings) {
      await client.request('ConfigureQueue', { queue, ...settings });
    },
    async shutdown() {
      await client.request('Shutdown', {});
    },
    async purge(queue, options) {
      return finishBulk(client, await client.request('Purge', { queue }), options);
    },
    async retryDead({ queue = null, errorCode = null }, options) {
      const begun = await client.request('RetryDead', { queue, errorCode });
      return finishBulk(client, begun, options);
    },
    async signal(key, options) {
      return finishBulk(client, await client.request('Signal', { key }), options);
    },
  };
}

/** As many requests as it takes: one names a limited number of jobs. */
async function forEach(
  ids: readonly string[],
  ask: (ids: string[]) => Promise<{ items: ItemAnswer[] }>,
): Promise<Settled[]> {
  const settled: Settled[] = [];
  for (let at = 0; at < ids.length; at += limits.batchItemsMax) {
    const { items } = await ask(ids.slice(at, at + limits.batchItemsMax));
    settled.push(...items.map(settledOf));
  }
  return settled;
}
