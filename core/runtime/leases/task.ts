/** One lease of the lease supervisor, and the request to the thread or process that runs it. */

import type { LeasedJob, Settle } from '../../job-queue/index.ts';
import type { JobRequest } from '../attempt/result.ts';
import type { Run } from '../pool/run.ts';
import type { ThreadAgent } from '../pool/thread-messages.ts';
import type { Group } from './groups.ts';

export interface Task {
  readonly leased: LeasedJob;
  readonly group: Group;
  agent: ThreadAgent;
  /** To be done, or to be moved to the present definition; null until that is known. */
  purpose: 'work' | 'move' | null;
  readonly takenAtMs: number;
  run: Run | null;
  /** `settling`: the outcome is on its way, and the broker's answer decides; `over`: not ours any more. */
  state: 'held' | 'settling' | 'over';
}

export function requestOf({ leased, agent: { agent }, purpose }: Task): JobRequest {
  const { job, attempt, token } = leased;
  const { id, body, source, createdAtMs } = job;
  const isRedelivery = token.delivery > 1;
  const request = { id, agent: job.agent, body, source, createdAtMs, attempt, isRedelivery };
  return { ...request, definition: agent.digest, isSuperseded: purpose === 'move' };
}

export function unknownAgent({ job }: LeasedJob): Settle {
  const errorMessage = `this consumer has no agent "${job.agent}"; add its folder, then retry the job`;
  return { outcome: 'final', errorCode: 'agent_unknown', errorMessage };
}
