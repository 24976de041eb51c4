/** `aiq queues list`: flags, help and action. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { ExitName } from '../../exit-codes.ts';
import type { RunAction, Session } from '../../session.ts';

export function addList(queues: Command, run: RunAction): void {
  queues
    .command('list')
    .description('List queues with the number of jobs in each state.')
    .addHelpText('after', examplesText([['aiq queues list'], ['aiq queues list --json']]))
    .action(() => run(listQueues));
}

async function listQueues(session: Session): Promise<ExitName> {
  const { queueTable } = await import('../../output/queue-view.ts');
  const { queues } = await (await session.queue()).stats();
  const { terminal } = session;
  if (terminal.json) for (const info of queues) terminal.result(JSON.stringify(info));
  else for (const line of queueTable(queues)) terminal.result(line);
  if (queues.length === 0) terminal.note('no queues: nothing has been enqueued yet');
  return 'ok';
}
