/** `aiq completion` and the hidden `aiq __complete`, which the completion scripts call. */

import { Argument, type Command } from 'commander';
import { examplesText } from '../../examples.ts';
import type { ExitName } from '../../exit-codes.ts';
import type { RunAction, Session } from '../../session.ts';
import type { scripts } from './scripts.ts';

export function addCompletion(root: Command, run: RunAction): void {
  root
    .command('completion')
    .addArgument(new Argument('<shell>', 'The shell.').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      examplesText([
        ['aiq completion bash > aiq-completion.bash', 'then source that file in ~/.bashrc'],
        ['aiq completion zsh > _aiq', 'in a folder of $fpath'],
        ['aiq completion fish > aiq.fish', 'in ~/.config/fish/completions'],
      ]),
    )
    .action((shell: keyof typeof scripts) =>
      run(async ({ terminal }) => {
        terminal.resultText((await import('./scripts.ts')).scripts[shell]);
        return 'ok';
      }),
    );
  root
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action((words: string[]) => run((session) => complete(session, root, words)));
}

/**
 * Prints `value`, a tab and a description for each candidate of the last of `words` (those after
 * `aiq`). Silent on errors: they would break the line that is being typed.
 */
async function complete(
  session: Session,
  root: Command,
  words: readonly string[],
): Promise<ExitName> {
  const { candidatesFor } = await import('./candidates.ts');
  const candidates = await candidatesFor(root, words, session).catch(() => []);
  const typed = words.at(-1) ?? '';
  for (const { value, description } of candidates) {
    if (value.startsWith(typed)) session.terminal.result(`${value}\t${description}`);
  }
  return 'ok';
}
