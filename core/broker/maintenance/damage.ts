/** Refuses to go on with a log that is damaged, with the way out. */

import { LogDamagedError } from '../log/contract.ts';
import { describeProblem, type LogProblem } from './problems.ts';

/**
 * @param what what was not done, and what to do instead, in sentences
 * @throws LogDamagedError when there is a problem; it tells the first one
 */
export function refuseIfDamaged(problems: readonly LogProblem[], what: string): void {
  const [first] = problems;
  if (first === undefined) return;
  const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`;
  throw new LogDamagedError(first.file, first.atByte, `${describeProblem(first)}${more}. ${what}`);
}
