/** Confirmations at a terminal; elsewhere they require `--yes`. */

import { isatty } from 'node:tty';
import { CliError } from '../errors.ts';

const filesWithoutAsking = 100;

/**
 * Returns when the number of files is small, allowed by `--yes`, or confirmed at the terminal.
 * @throws CliError `usage` otherwise; nothing was queued
 */
export async function confirmMany(files: number, yes: boolean): Promise<void> {
  if (yes || files <= filesWithoutAsking) return;
  const why = `More than ${filesWithoutAsking} at once require --yes`;
  await confirm(`Add ${files} jobs?`, `${files} files were given; nothing was queued`, why);
}

/**
 * Returns when the person at the terminal says yes.
 * @throws CliError `usage` otherwise, and when not at a terminal; nothing was changed
 */
export async function confirm(
  question: string,
  refusal: string,
  fix = 'Confirm with --yes',
): Promise<void> {
  if (!canAsk()) throw new CliError('usage', refusal, [fix]);
  if (!(await askYes(question))) throw new CliError('usage', 'not confirmed; nothing was changed');
}

/** Whether a question can be answered: input and messages are a terminal. */
export function canAsk(): boolean {
  // Not `process.stdin.isTTY`: that opens a stream, and few commands read one.
  return isatty(0) && isatty(2);
}

/** True when the person at the terminal says yes. */
export async function askYes(question: string): Promise<boolean> {
  const { createInterface } = await import('node:readline/promises');
  const questions = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await questions.question(`${question} [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    questions.close();
  }
}
