/** `aiq run`: flags and help. */

import type { Command } from 'commander';
import type { Overrides } from '../../config/index.ts';
import { examplesText } from '../examples.ts';
import type { RunAction } from '../session.ts';

export function addRun(root: Command, run: RunAction): void {
  root
    .command('run')
    .option('--agents <names>', 'Only these agents, separated by commas.')
    .option('--until-empty', 'Exit when none of their jobs is waiting or running.')
    .option('--stop-after <rule>', 'Stop after failures: "failures > 5%", 12 or never.')
    .option('--concurrency <n>', 'Number of jobs to run at once, over all threads.')
    .option('--threads <n>', 'Number of worker threads.')
    .option('--model <id>', 'Model for all agents, instead of their own.')
    .option('--provider <name>', 'auto, openai, local, offline, or a name of the configuration.')
    .addHelpText(
      'after',
      `
Ctrl-C stops taking jobs and finishes the running ones; a second Ctrl-C stops at once.
${examplesText([
  ['aiq run', 'until Ctrl-C (exits 0)'],
  ['aiq run --agents summarize --until-empty --concurrency 16'],
])}`,
    )
    .action((options) =>
      run(
        async (session) => (await import('./run-action.ts')).run(session, options),
        overridesOf(options),
      ),
    );
}

interface RunSettings {
  readonly concurrency?: string;
  readonly threads?: string;
  readonly provider?: string;
}

/** The flags that are also settings of the configuration. */
function overridesOf({ concurrency, threads, provider }: RunSettings): Overrides {
  return {
    ...(concurrency === undefined ? {} : { 'run.concurrency': concurrency }),
    ...(threads === undefined ? {} : { 'run.threads': threads }),
    ...(provider === undefined ? {} : { provider }),
  };
}
