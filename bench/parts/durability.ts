/** Proves what is durable: with one job at a time there is no answer without a sync call. */

import { join } from 'node:path';
import { hasStrace, straceCommand, syncCalls, syncTrace } from '../measure/strace.ts';
import type { Peer } from '../server/peer.ts';
import { jobBytes, oneByOne, Stage } from './scene.ts';

export interface SyncCounts {
  /** Calls for each acknowledged job, one job at a time. */
  readonly alone: number;
  /** With 64 in flight. */
  readonly together: number;
}

const aloneJobs = 100;
const togetherJobs = 3_000;

/** Why nothing is counted; null when it is. */
export const noStrace: string | null = hasStrace()
  ? null
  : `not counted, strace is not here: ${straceCommand}`;

export async function countSyncs(peer: Peer): Promise<SyncCounts> {
  let file = '';
  const prefix = (base: string): readonly string[] => {
    file = join(base, 'trace');
    return syncTrace(file);
  };
  const act = async (stage: Stage): Promise<SyncCounts> => {
    const client = await stage.client();
    const perJob = async (calls: number, jobsMax: number): Promise<number> => {
      const before = await syncCalls(file);
      const shape = { ...oneByOne, calls };
      await client.ask('produce', { queue: stage.queue, bytes: jobBytes, shape, jobsMax });
      return ((await syncCalls(file)) - before) / jobsMax;
    };
    return {
      alone: await perJob(1, aloneJobs),
      together: await perJob(oneByOne.calls, togetherJobs),
    };
  };
  return Stage.with(peer, act, prefix);
}
