/** The problems of a log, each with its position and the records that may be lost. */

import { LogDamagedError } from '../../log/contract.ts';

/**
 * - `end`: the log ends before its proven end.
 * - `missing`: a segment is missing. `unreadable`: the disk could not read it; followed by `header`.
 * - `header`: a segment's header is damaged. `version`: it has an unknown log format.
 * - `foreign`: a segment belongs to another log. `order`: it does not follow what is before it.
 * - `batch`: a batch is damaged. `kind`: it is of a kind of a later version.
 * - `summary`: a summary contradicts its segment.
 * - `record`: a record cannot be decoded, or contradicts those before it.
 */
export type ProblemKind =
  | 'end'
  | 'missing'
  | 'unreadable'
  | 'header'
  | 'version'
  | 'foreign'
  | 'order'
  | 'batch'
  | 'kind'
  | 'summary'
  | 'record';

export interface LogProblem {
  readonly kind: ProblemKind;
  /** Path of the file. */
  readonly file: string;
  readonly atByte: number;
  /** Bytes that cannot be read; 0 when the problem is their order or meaning. */
  readonly bytes: number;
  /** Offset of the first record that may be lost; null when unknown. */
  readonly firstOffset: number | null;
  /** Number of records that may be lost; null when unknown. */
  readonly records: number | null;
  /** What is wrong, without the position. */
  readonly message: string;
}

/** One line for an operator: position, problem, and records that may be lost. */
export function describeProblem(problem: LogProblem): string {
  const { file, atByte, message } = problem;
  return `${file}: byte ${atByte}: ${message}; ${possibleLoss(problem)}`;
}

function possibleLoss({ firstOffset, records }: LogProblem): string {
  if (records === 0) return 'no record is lost';
  const from = firstOffset === null ? '' : ` from ${firstOffset} on`;
  if (records === null) return `records${from} may be lost, their number is unknown`;
  return `${records} ${records === 1 ? 'record' : 'records'}${from} may be lost`;
}

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
