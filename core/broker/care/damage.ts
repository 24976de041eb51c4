/** Refuses to go on with a log that is damaged, with the way out. */

import { LogDamagedError } from '../log/contract.ts';
import { describeProblem, type LogProblem } from './problems.ts';

/**
 * @param what what was not done, as a sentence
 * @throws LogDamagedError when there is a problem; it tells the first one
 */
export function refuseIfDamaged(problems: readonly LogProblem[], what: string): void {
  const [first] = problems;
  if (first === undefined) return;
  const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`;
  throw new LogDamagedError(
    first.file,
    first.atByte,
    `${describeProblem(first)}${more}. ${what} See all of it: aiq broker verify. Get out what is ` +
      'legible: aiq broker salvage <new folder>',
  );
}
