/** Waits for jobs to finish and prints how they ended. */

import { startTimer } from '../base/index.ts';
import {
  describeJob,
  isExtract,
  type JobInfo,
  type JobQueue,
  shortId,
} from '../job-queue/index.ts';
import { CliError } from './errors.ts';
import type { ExitName } from './exit-codes.ts';
import { outputText, printExtracts } from './output/extract-text.ts';
import { formatElapsed } from './output/format.ts';
import { failureOf } from './output/job-view.ts';
import type { Terminal } from './output/terminal.ts';

export interface WaitOptions {
  readonly timeoutMs: number | null;
  /** Called when a job finishes, in that order. */
  readonly onFinished: (info: JobInfo) => void;
  /** Stops waiting with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * The jobs once all are done, dead or cancelled, in the order of `ids`.
 * @throws CliError `waitTimeout`
 */
export async function waitForJobs(
  queue: JobQueue,
  ids: readonly string[],
  options: WaitOptions,
): Promise<JobInfo[]> {
  const timeout = new AbortController();
  const { timeoutMs } = options;
  const timer = timeoutMs === null ? null : startTimer(timeoutMs, () => timeout.abort());
  const signal = AbortSignal.any([timeout.signal, ...(options.signal ? [options.signal] : [])]);
  let open = ids.length;
  const one = async (id: string): Promise<JobInfo> => {
    const info = await queue.wait(id, signal);
    open--;
    options.onFinished(info);
    return info;
  };
  try {
    return await Promise.all(ids.map(one));
  } catch (error) {
    if (!timeout.signal.aborted) throw error;
    throw new CliError('waitTimeout', `gave up waiting after ${formatElapsed(timeoutMs ?? 0)}`, [
      `${open} of ${ids.length} jobs are not finished; they continue. See: aiq jobs list`,
    ]);
  } finally {
    timer?.clear();
  }
}

/** One line about a finished job: on standard output as JSON, else on standard error. */
export function reportFinished(terminal: Terminal, info: JobInfo): void {
  if (terminal.json) {
    terminal.result(JSON.stringify(describeJob(info)));
    return;
  }
  const what = `${shortId(info.id)}  ${info.agent}`;
  if (info.state === 'done') {
    terminal.note(`${terminal.paint('green', 'done')}  ${what}  ${outputText(info)}`.trimEnd());
    return;
  }
  const word = terminal.paint('red', info.state);
  terminal.failure(`${word}  ${what}  ${failureOf(info)}`.trimEnd());
}

/** Prints how many of the results are extracts. */
export function printFinished(terminal: Terminal, jobs: readonly JobInfo[]): void {
  const done = jobs.filter(({ state }) => state === 'done');
  printExtracts(terminal, done.filter(isExtract).length, done.length);
}

/** 0 when all are done, 9 when some are, 7 when none is. */
export function exitOfFinished(jobs: readonly JobInfo[]): ExitName {
  const done = jobs.filter(({ state }) => state === 'done').length;
  if (done === jobs.length) return 'ok';
  return done === 0 ? 'jobFailed' : 'partial';
}
