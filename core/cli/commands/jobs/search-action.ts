/** `aiq jobs search`: finds jobs of any age in the broker's history. */

import { parseMicros } from '../../../base/index.ts';
import type { JobState, SearchFilter } from '../../../job-queue/index.ts';
import { usageError } from '../../errors.ts';
import type { ExitName } from '../../exit-codes.ts';
import { parseCount, parseMoment } from '../../input/values.ts';
import { printJobs } from '../../output/job-view.ts';
import type { Session } from '../../session.ts';

export interface SearchFlags {
  readonly queue?: string;
  readonly state?: readonly JobState[];
  readonly agent?: string;
  readonly tag?: string;
  readonly text?: string;
  readonly cause?: string;
  readonly since?: string;
  readonly until?: string;
  readonly minCost?: string;
  readonly after?: string;
  readonly limit: string;
}

const limitMax = 100_000;

/** Prints a page, and on standard error how to get the next. */
export async function searchJobs(session: Session, flags: SearchFlags): Promise<ExitName> {
  const filter = filterOf(flags, Date.now());
  const { jobs, next } = await (await session.queue()).search(filter);
  const { terminal } = session;
  printJobs(terminal, jobs);
  if (next !== null) terminal.note(`there are more: repeat the command with --after ${next}`);
  return 'ok';
}

/**
 * The conditions that the flags name.
 * @throws CliError `usage`
 */
export function filterOf(flags: SearchFlags, nowMs: number): SearchFilter {
  const { queue, state, agent, tag, text, cause, after } = flags;
  const momentOf = (flag: string, written: string | undefined): number | undefined =>
    written === undefined ? undefined : parseMoment(flag, written, { nowMs, durations: 'ago' });
  const sinceMs = momentOf('--since', flags.since);
  const untilMs = momentOf('--until', flags.until);
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs >= untilMs) {
    throw usageError('--since must be before --until');
  }
  return {
    queue,
    states: state,
    agent,
    tag,
    text,
    errorCode: cause,
    sinceMs,
    untilMs,
    costMicrosMin: flags.minCost === undefined ? undefined : parseCost(flags.minCost),
    after,
    limit: parseCount('--limit', flags.limit, limitMax),
  };
}

function parseCost(text: string): number {
  const micros = parseMicros(text);
  if (micros !== null) return micros;
  throw usageError(`--min-cost: ${JSON.stringify(text)} is not an amount`, 'Examples: 0.05, 2');
}
