/** `aiq queues purge`: flags, help and action. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { ExitName } from '../../exit-codes.ts';
import { bulkProgress, countText } from '../../output/progress.ts';
import type { RunAction, Session } from '../../session.ts';

export function addPurge(queues: Command, run: RunAction): void {
  queues
    .command('purge')
    .description('Cancel all waiting jobs of a queue. Asks for confirmation at a terminal.')
    .argument('<queue>', 'Its name.')
    .option('-y, --yes', 'Do not ask; required when not at a terminal.')
    .addHelpText('after', examplesText([['aiq queues purge summarize --yes']]))
    .action((name: string, options) => run((session) => purgeQueue(session, name, options)));
}

/** Cancels the jobs that wait; running jobs finish. */
async function purgeQueue(
  session: Session,
  name: string,
  flags: { readonly yes?: boolean },
): Promise<ExitName> {
  const { findQueue } = await import('../../output/queue-view.ts');
  const { ready, delayed, parked } = await findQueue(session, name);
  const waiting = ready + delayed + parked;
  const jobs = waiting === 1 ? '1 waiting job' : `${waiting} waiting jobs`;
  if (waiting > 0 && flags.yes !== true) {
    const { confirm } = await import('../../input/confirm.ts');
    await confirm(`Cancel ${jobs} of ${name}?`, `${jobs} of ${name} would be cancelled`);
  }
  const { terminal } = session;
  const progress = bulkProgress(terminal, 'cancelled');
  const removed = await (await session.queue()).purge(name, progress);
  if (terminal.json) terminal.result(JSON.stringify({ queue: name, cancelled: removed }));
  terminal.note(`cancelled ${countText(removed)} of ${name}`);
  return 'ok';
}
