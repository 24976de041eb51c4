/** What a runtime is started with, and what it reports. */

import type { Agent } from '../agent/index.ts';
import type { BudgetTerms, JobQueue, JobState, SettleOutcome } from '../job-queue/index.ts';
import type { Prices, Provider } from '../model/index.ts';
import type { JobUsage } from './attempt/usage.ts';

export interface RuntimeOptions {
  readonly queue: JobQueue;
  readonly agents: readonly Agent[];
  readonly provider: Provider;
  /** Providers that agents name themselves, by name. */
  readonly providers?: { readonly [name: string]: Provider };
  /** Model id of the command line: wins over the agents' own. */
  readonly modelFlag?: string | null;
  /** Model id for agents that name none; null leaves it to the provider. */
  readonly configModel?: string | null;
  /**
   * Absolute folder that the agents' `knowledge` is relative to: that of the configuration. Default:
   * the working folder.
   */
  readonly baseDir?: string;
  /** Whether everybody at the broker is on this machine, so that folders identify places. Default true. */
  readonly isOneMachine?: boolean;
  /** The agents as their files are now; default: as they were given. Rejects when they cannot be used. */
  readonly rereadAgents?: () => Promise<readonly Agent[]>;
  /** Absolute folder for jobs that name none. */
  readonly outputDir: string;
  /**
   * False refuses jobs that name another output folder: right wherever producers are trusted less
   * than the user of this consumer. Default true.
   */
  readonly jobOutputDirs?: boolean;
  /** Jobs at one time, over all threads. */
  readonly concurrency: number;
  readonly threads: number;
  readonly limits: { readonly idleMs: number; readonly answerBytesMax: number };
  readonly prices: Prices;
  /** Made known to the broker before any job is taken; default none. */
  readonly budgets?: readonly BudgetTerms[];
  /** Time that `drain` leaves to running jobs. */
  readonly graceMs: number;
  /** How long an outage of a provider may last before waiting alone counts as no help; default 10 minutes. */
  readonly outageMs?: number;
  /**
   * Reads again what a person may have mended while a provider is held; null when it cannot be used
   * as it is. Default: nothing is read again.
   */
  readonly reload?: () => Promise<ReloadedAgents | null>;
  readonly log: RuntimeLog;
  /** Called when jobs can only wait for a person; `untilEmpty` ends by itself then. Must not throw. */
  readonly onStuck?: (reason: { readonly code: string; readonly message: string }) => void;
  /** Called after each job's lease ended; must not throw. */
  readonly onJob?: (report: JobReport) => void;
}

/** Agents, and where they work, as they are now. */
export type ReloadedAgents = Pick<
  RuntimeOptions,
  'agents' | 'provider' | 'providers' | 'configModel'
>;

type LogLine = (fields: Readonly<Record<string, unknown>>, message: string) => void;

/** The part of `core/cli`'s Logger that the runtime uses. */
export interface RuntimeLog {
  readonly debug: LogLine;
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
}

/** How one lease ended. */
export interface JobReport {
  readonly id: string;
  readonly agent: string;
  readonly source: string;
  readonly attempt: number;
  /** `lost`: the lease went away, nothing was settled. */
  readonly outcome: SettleOutcome | 'lost';
  /** The job's state afterwards; null when the broker did not say. */
  readonly state: JobState | null;
  /** Absolute output folder and the files' paths below it, once they are there; empty unless acknowledged. */
  readonly root: string;
  readonly files: readonly string[];
  readonly model: string;
  readonly provider: string;
  /** Files that should have been searched and were not: how many, and the first of them. */
  readonly notSearched?: string;
  /** Why the files are not in their folder yet; the engine has them. */
  readonly notWritten?: string;
  /** Id of the job that does the work in its place; empty for most. */
  readonly supersededBy: string;
  /** True when an earlier attempt had published the result: no model was called. */
  readonly recovered: boolean;
  readonly errorCode: string;
  readonly errorMessage: string;
  /** Time until the next attempt, for those that come back. */
  readonly delayMs: number;
  readonly usage: JobUsage;
  /** From delivery to the end of the lease. */
  readonly elapsedMs: number;
}

export interface RuntimeCounts {
  /** Leases held right now. */
  readonly held: number;
  readonly done: number;
  /** Those of `done` that are extracts of the offline provider. */
  readonly extracts: number;
  /** Moved to the present definition of their agents: another job each does the work. */
  readonly superseded: number;
  /** Dead-lettered: permanent failures and those without attempts left. */
  readonly dead: number;
  /** Failed, charged, and will run again. */
  readonly retried: number;
  /** Handed back uncharged: throttled, shut down, or a bystander of a crash. */
  readonly returned: number;
  readonly crashed: number;
  /** Leases that went away under the work. */
  readonly lost: number;
}

export interface RunSummary {
  readonly counts: RuntimeCounts;
  readonly usage: JobUsage;
  readonly elapsedMs: number;
  /** Why the runtime stopped by itself: its jobs can only wait for a person, or threads do not start. */
  readonly fatal: { readonly code: string; readonly message: string } | null;
}

export interface Runtime {
  /** Resolves once everything has stopped, for whatever reason. */
  readonly done: Promise<RunSummary>;
  readonly counts: RuntimeCounts;
  /** Takes nothing new; running jobs finish within the grace time or are handed back, uncharged. */
  drain(): Promise<void>;
  /** Stops calls and threads and hands all leases back, uncharged, within a second. */
  abort(): Promise<void>;
  /**
   * Runs until no job of these queues is ready, delayed or leased, by whatever session, or those that
   * are left can only wait for a person (`fatal` says why), then drains.
   * @throws AiqError when the broker stays away
   */
  untilEmpty(): Promise<RunSummary>;
}
