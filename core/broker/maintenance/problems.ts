/** What can be wrong with a log, each with its place and what is at stake, in words for an operator. */

/**
 * - `end`: the log ends before the place that it is proven to have reached.
 * - `missing`: a segment is not there. `unreadable`: the disk could not read some of it; what is
 *   damaged by that is told besides.
 * - `header`: a segment's header is damaged. `version`: it is of a format that is not known here.
 * - `foreign`: a segment belongs to another log. `order`: what stands there does not follow.
 * - `batch`: a batch is damaged. `kind`: it is of a kind that a later version made.
 * - `summary`: a summary does not say what its segment says.
 * - `record`: a record cannot be read, or contradicts those before it.
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
  /** Bytes that cannot be read; 0 when it is about their place or their meaning. */
  readonly bytes: number;
  /** Offset of the first record at stake; null when that cannot be told. */
  readonly firstOffset: number | null;
  /** Records at stake; null when not even their number is legible. */
  readonly records: number | null;
  /** What is wrong, without the place. */
  readonly message: string;
}

/** One line for an operator: where, what, and what is at stake. */
export function describeProblem(problem: LogProblem): string {
  const { file, atByte, message } = problem;
  return `${file}: byte ${atByte}: ${message}; ${atStake(problem)}`;
}

function atStake({ firstOffset, records }: LogProblem): string {
  if (records === 0) return 'no record is at stake';
  const from = firstOffset === null ? '' : ` from ${firstOffset} on`;
  if (records === null) return `records${from} are at stake, their number is not legible`;
  return `${records} ${records === 1 ? 'record' : 'records'}${from} at stake`;
}
