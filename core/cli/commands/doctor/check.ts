/** One row of `aiq doctor`. */

import type { ExitName } from '../../exit-codes.ts';

export type CheckStatus = 'ok' | 'warn' | 'fail';

export interface Check {
  readonly name: string;
  readonly status: CheckStatus;
  /** What was found. */
  readonly found: string;
  /** What to do, one line each; empty when ok. */
  readonly fix: readonly string[];
  /** How doctor exits when this is the first failure. */
  readonly exit: ExitName;
}

export function ok(name: string, found: string): Check {
  return { name, status: 'ok', found, fix: [], exit: 'ok' };
}

export function warn(name: string, found: string, ...fix: string[]): Check {
  return { name, status: 'warn', found, fix, exit: 'ok' };
}

export function fail(name: string, exit: ExitName, found: string, ...fix: string[]): Check {
  return { name, status: 'fail', found, fix, exit };
}
