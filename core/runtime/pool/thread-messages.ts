/** What passes between the main thread and a job thread, both ways. */

import type { Agent } from '../../agent/index.ts';
import type { Prices, Provider } from '../../model/index.ts';
import type { JobRequest, JobResult, StopReason } from '../attempt/result.ts';
import type { Answer, Question } from './questions.ts';

/** What a job thread is born with. */
export interface ThreadData {
  readonly agents: readonly ThreadAgent[];
  readonly prices: Prices;
  readonly idleMs: number;
  readonly answerBytesMax: number;
  /** Absolute folder of the configuration, which `knowledge` is relative to. */
  readonly baseDir: string;
  /** Absolute folder for jobs that name none. */
  readonly outputDir: string;
  /** False refuses jobs that name another folder. */
  readonly jobOutputDirs: boolean;
  /** One number, shared: the run whose code is on the thread's stack right now, or 0. */
  readonly activeRun: SharedArrayBuffer;
}

/** An agent with the provider and model that it uses in this process. */
export interface ThreadAgent {
  readonly agent: Agent;
  readonly provider: Provider;
  readonly model: string;
}

/** `run` numbers are made by the pool and never reused; from 1. */
export type ToThread =
  | { readonly type: 'run'; readonly run: number; readonly request: JobRequest }
  | { readonly type: 'stop'; readonly run: number; readonly reason: StopReason }
  | { readonly type: 'adopt'; readonly agents: readonly ThreadAgent[] }
  | Answer;

export type FromThread =
  | { readonly type: 'ready' }
  | { readonly type: 'ended'; readonly run: number; readonly result: JobResult }
  | (Question & { readonly run: number });
