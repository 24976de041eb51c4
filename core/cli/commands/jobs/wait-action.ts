/** `aiq jobs wait`: waits for jobs and prints how each ended. */

import { shortId } from '../../../job-queue/index.ts';
import type { ExitName } from '../../exit-codes.ts';
import { findJob } from '../../input/job-lookup.ts';
import { readDuration } from '../../input/values.ts';
import { failureOf } from '../../output/job-view.ts';
import type { Session } from '../../session.ts';
import { exitOfFinished, printFinished, reportFinished, waitForJobs } from '../../wait.ts';

export async function waitJobs(
  session: Session,
  ids: readonly string[],
  flags: { readonly timeout?: string },
): Promise<ExitName> {
  const timeoutMs = flags.timeout === undefined ? null : readDuration('--timeout', flags.timeout);
  const queue = await session.queue();
  const found = await Promise.all(ids.map((id) => findJob(queue, id)));
  for (const { info } of found) {
    if (info.state !== 'parked' || info.errorCode === '') continue;
    session.terminal.warn(`${shortId(info.id)} waits: ${failureOf(info)}`);
  }
  const finished = await waitForJobs(
    queue,
    found.map(({ info }) => info.id),
    { timeoutMs, onFinished: (info) => reportFinished(session.terminal, info) },
  );
  printFinished(session.terminal, finished);
  return exitOfFinished(finished);
}
