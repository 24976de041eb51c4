/** The contract of writing results into a folder: what a result is there, and what can go wrong. */

import { CodedError } from '../base/index.ts';

/** What happens when a result's name is taken by something that is not this job's. */
export type Overwrite = 'error' | 'replace' | 'number';

/** A file of a result, by its path below the folder. */
export interface ResultFile {
  readonly path: string;
  readonly content: Uint8Array;
}

/** The files of a job that the engine has, with the names that were reserved for them. */
export interface Result {
  readonly jobId: string;
  readonly files: readonly ResultFile[];
  readonly overwrite: Overwrite;
  /** The earlier job whose files these replace, unless a person changed them. */
  readonly replaces: string | null;
  readonly provider: string;
  readonly model: string;
}

export interface IndexedFile {
  readonly path: string;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
}

/** A line of the index: the result of a job in this folder. The first line of a job decides which. */
export interface Indexed {
  readonly jobId: string;
  readonly files: readonly IndexedFile[];
  readonly provider: string;
  readonly model: string;
  /** Who appended it. */
  readonly by: string;
}

/**
 * `path_invalid`: the path leaves the root or is no legal name (permanent). `exists`: the name is
 * taken and the policy is `error` (permanent). `io`: the file system refused (transient). `taken_over`:
 * another consumer writes the result of this job.
 */
export class OutputError extends CodedError<'path_invalid' | 'exists' | 'io' | 'taken_over'> {}
