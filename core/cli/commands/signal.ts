/** `aiq signal`: flags, help and action. */

import type { Command } from 'commander';
import { examplesText } from '../examples.ts';
import type { ExitName } from '../exit-codes.ts';
import { bulkProgress, countText } from '../output/progress.ts';
import type { RunAction, Session } from '../session.ts';

export function addSignal(root: Command, run: RunAction): void {
  root
    .command('signal')
    .argument('<key>', 'The key that was given to enqueue --park-key.')
    .addHelpText('after', examplesText([['aiq signal approval:7']]))
    .action((key: string) => run((session) => signal(session, key)));
}

/** Succeeds when no job is parked on the key: it may be signalled before or after. */
async function signal(session: Session, typed: string): Promise<ExitName> {
  const { checkKey } = await import('../input/job-flags.ts');
  const key = checkKey('signal', typed);
  const { terminal } = session;
  const woken = await (await session.queue()).signal(key, bulkProgress(terminal, 'made ready'));
  if (terminal.json) terminal.result(JSON.stringify({ key, woken }));
  terminal.note(woken === 0 ? `no job is parked on ${key}` : `made ready: ${countText(woken)}`);
  return 'ok';
}
