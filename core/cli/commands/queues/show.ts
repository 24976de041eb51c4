/** `aiq queues show`: flags, help and action. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { ExitName } from '../../exit-codes.ts';
import type { RunAction, Session } from '../../session.ts';

export function addShow(queues: Command, run: RunAction): void {
  queues
    .command('show')
    .description('Show one queue.')
    .argument('<queue>', 'Its name: that of its agent, unless the agent names another.')
    .addHelpText('after', examplesText([['aiq queues show summarize']]))
    .action((name: string) => run((session) => showQueue(session, name)));
}

async function showQueue(session: Session, name: string): Promise<ExitName> {
  const { findQueue, formatQueueDetails } = await import('../../output/queue-view.ts');
  const info = await findQueue(session, name);
  const { terminal } = session;
  if (terminal.json) terminal.result(JSON.stringify(info, null, 2));
  else for (const line of formatQueueDetails(info)) terminal.result(line);
  return 'ok';
}
