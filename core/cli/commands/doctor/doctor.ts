/** `aiq doctor`: flags and help. */

import type { Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { RunAction } from '../../session.ts';

export function addDoctor(root: Command, run: RunAction): void {
  root
    .command('doctor')
    .addHelpText('after', examplesText([['aiq doctor'], ['aiq doctor --json']]))
    .action(() => run(async (session) => (await import('./doctor-action.ts')).doctor(session)));
}
