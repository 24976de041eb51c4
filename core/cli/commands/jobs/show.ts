/** `aiq jobs show`: flags, help and action. */

import type { Command } from 'commander';
import type { JobState } from '../../../job-queue/index.ts';
import { CliError } from '../../errors.ts';
import { exampleJobs, examplesText } from '../../examples.ts';
import type { ExitName } from '../../exit-codes.ts';
import type { RunAction, Session } from '../../session.ts';

export function addShow(jobs: Command, run: RunAction): void {
  jobs
    .command('show')
    .description('Show one job: state, attempts, last error, files, history.')
    .argument('<id>', 'Job id, or any unique prefix of it.')
    .addHelpText('after', examplesText([[`aiq jobs show ${exampleJobs.monday}`]]))
    .action((id: string) => run((session) => showJob(session, id)));
}

/**
 * Prints all that the broker knows of one job; `aiq dead show` asks for a dead one.
 * @throws CliError `notFound` when the job is not in the state that was asked for
 */
export async function showJob(
  session: Session,
  typed: string,
  state: JobState | null = null,
): Promise<ExitName> {
  const { describeInspected, shortId } = await import('../../../job-queue/index.ts');
  const { findJob } = await import('../../input/job-lookup.ts');
  const found = await findJob(await session.queue(), typed);
  const id = shortId(found.info.id);
  if (state !== null && found.info.state !== state) {
    throw new CliError('notFound', `${id} is not ${state}: it is ${found.info.state}`, [
      `See: aiq jobs show ${id}`,
    ]);
  }
  const { terminal } = session;
  const { formatJobDetails } = await import('../../output/job-view.ts');
  if (terminal.json) {
    const kept = await (await session.queue()).output(found.info.id);
    const provenance: unknown = kept === null ? null : JSON.parse(kept.provenance || 'null');
    terminal.result(JSON.stringify({ ...describeInspected(found), provenance }, null, 2));
  } else for (const line of formatJobDetails(found, Date.now())) terminal.result(line);
  if (found.info.state === 'dead') {
    terminal.hint(`What was sent: aiq jobs prompt ${id}. Retry: aiq jobs retry ${id}`);
  }
  return 'ok';
}
