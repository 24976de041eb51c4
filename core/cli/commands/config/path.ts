/** `aiq config path`: flags, help and action. */

import type { Command } from 'commander';
import { CliError } from '../../errors.ts';
import { examplesText } from '../../examples.ts';
import type { ExitName } from '../../exit-codes.ts';
import type { RunAction, Session } from '../../session.ts';

export function addPath(config: Command, run: RunAction): void {
  config
    .command('path')
    .description('Print the path of the configuration file in use; exits with 5 if there is none.')
    .addHelpText('after', examplesText([['aiq config path']]))
    .action(() => run(printPath));
}

async function printPath(session: Session): Promise<ExitName> {
  const { file } = await session.foundConfig();
  const { terminal } = session;
  if (terminal.json) {
    terminal.result(JSON.stringify({ file }));
    return 'ok';
  }
  if (file === null) {
    throw new CliError('notFound', 'no configuration file found; the defaults are used', [
      'Create one: aiq init',
    ]);
  }
  terminal.result(file);
  return 'ok';
}
