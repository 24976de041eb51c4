/** `aiq broker stop`: flags, help and action. */

import type { Command } from 'commander';
import { brokerFolder } from '../../../base/index.ts';
import { examplesText } from '../../examples.ts';
import type { ExitName } from '../../exit-codes.ts';
import type { RunAction, Session } from '../../session.ts';

export function addStop(broker: Command, run: RunAction): void {
  broker
    .command('stop')
    .description('Stop the broker of the configured folder; queued jobs are kept.')
    .addHelpText('after', examplesText([['aiq broker stop']]))
    .action(() => run(stop));
}

/** Waits until the broker of the folder has exited; succeeds when none runs. */
async function stop(session: Session): Promise<ExitName> {
  const { broker } = await session.config();
  const { terminal } = session;
  const folder = brokerFolder(broker);
  if (folder === null) {
    await (await session.queue()).shutdown();
    terminal.note(`asked the broker at ${broker} to stop; queued jobs are kept`);
    return 'ok';
  }
  const { stopBroker } = await import('../../../host/index.ts');
  const outcome = await stopBroker(folder);
  terminal.note(
    outcome === 'stopped'
      ? `stopped the broker of ${broker}; queued jobs are kept`
      : `no broker is running for ${broker}`,
  );
  return 'ok';
}
