/** `aiq init`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../examples.ts';
import type { RunAction } from '../session.ts';

export function addInit(root: Command, run: RunAction): void {
  root
    .command('init')
    .argument('[dir]', 'The folder; default: this one. Existing files are kept.')
    .addHelpText('after', examplesText([['aiq init'], ['aiq init essays']]))
    .action((dir: string | undefined) =>
      run(async (session) => (await import('./init-action.ts')).init(session, dir)),
    );
}
