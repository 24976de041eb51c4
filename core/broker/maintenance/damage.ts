/** Refuses a damaged log. */

import { LogDamagedError } from '../log/contract.ts';
import { describeProblem, type LogProblem } from './problems.ts';

/**
 * @param what sentences about what was not done, and what to do instead
 * @throws LogDamagedError with the first problem, when there is one
 */
export function refuseIfDamaged(problems: readonly LogProblem[], what: string): void {
  const [first] = problems;
  if (first === undefined) return;
  const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`;
  throw new LogDamagedError(first.file, first.atByte, `${describeProblem(first)}${more}. ${what}`);
}
