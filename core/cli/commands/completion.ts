/** `aiq completion` and the hidden `aiq __complete`, which the scripts ask for every word. */

import type { Command } from 'commander';
import { candidatesFor } from '../complete/candidates.ts';
import { scripts } from '../complete/scripts.ts';
import type { ExitName } from '../exit-codes.ts';
import type { Session } from '../session.ts';

export function printScript({ terminal }: Session, shell: string): Promise<ExitName> {
  terminal.resultText(scripts[shell as keyof typeof scripts]);
  return Promise.resolve('ok');
}

/**
 * Prints `value`, a tab and a description for each word that may stand at the end of `words` (those
 * behind `aiq`, the last one as far as it was typed). Silent when anything is amiss: a shell in the
 * middle of a line is no place for errors.
 */
export async function complete(
  session: Session,
  root: Command,
  words: readonly string[],
): Promise<ExitName> {
  const candidates = await candidatesFor(root, words, session).catch(() => []);
  const typed = words.at(-1) ?? '';
  for (const { value, description } of candidates) {
    if (value.startsWith(typed)) session.terminal.result(`${value}\t${description}`);
  }
  return 'ok';
}
