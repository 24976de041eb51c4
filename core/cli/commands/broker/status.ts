/** `aiq broker status`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addStatus(broker: Command, run: RunAction): void {
  broker
    .command('status')
    .description('Show whether a broker is running, and its queues.')
    .addHelpText('after', examplesText([['aiq broker status']]))
    .action(() => run(async (session) => (await import('./status-action.ts')).showBroker(session)));
}
