/** The contract of publishing a job's result: request, commit record, errors. */

import { CodedError } from '../base/index.ts';

/** What happens when a result's name is taken by something that is not this job's. */
export type Overwrite = 'error' | 'replace' | 'number';

/** Where a job's files go and what happens when a name is taken. */
export interface PublishRequest {
  /** Absolute output root; `.aiq/` inside it is ours. */
  readonly root: string;
  readonly jobId: string;
  /** Paths relative to the root with forward slashes, as rendered: not yet trusted. */
  readonly files: readonly { readonly path: string; readonly content: string | Uint8Array }[];
  readonly overwrite: Overwrite;
  /** An earlier result that this one replaces: its files are removed, unless a person changed them. */
  readonly replaces?: CommitRecord | null;
  /** Kept in the commit record, for people and for `jobs show`: agent, model, provider, usage … */
  readonly provenance: { readonly [key: string]: unknown };
  /** Checked right before the commit: once aborted, nothing is published. */
  readonly signal?: AbortSignal;
}

export interface PublishedFile {
  /** Final path relative to the root. */
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * The commit record of a job: `<root>/.aiq/commit/<jobId>`, linked exactly once. Once every file
 * has its final name, the same record is linked as `<root>/.aiq/provenance/<jobId>.json`.
 */
export interface CommitRecord {
  readonly version: 1;
  readonly jobId: string;
  readonly overwrite: Overwrite;
  /** `staged` is the name under `<root>/.aiq/staged/` until the file is published. */
  readonly files: readonly (PublishedFile & { readonly staged: string })[];
  readonly provenance: { readonly [key: string]: unknown };
  readonly committedAt: string;
}

/** Steps of the publish protocol; a crash after each leaves another state on disk. */
export type PublishStep =
  | 'staged'
  | 'recorded'
  | 'synced'
  | 'committed'
  | 'placed'
  | 'proven'
  | 'cleaned';

export interface OutputOptions {
  /** Called after each step, before the next one begins: tests stop the process here. */
  readonly onStep?: (step: PublishStep) => void | Promise<void>;
}

/** One output root. Any number of stores, in any number of processes, may share a root. */
export interface OutputStore {
  /** The job's newest record; null when nothing of it was published. */
  find(jobId: string): Promise<CommitRecord | null>;
  /**
   * Checks, before anything is bought, that the path is legal and free under the policy.
   * @param replaces as for `publish`
   * @throws OutputError `path_invalid` or `exists`
   */
  check(path: string, overwrite: Overwrite, replaces?: CommitRecord | null): Promise<void>;
  /**
   * Makes the result visible and durable, exactly once per job: when a record exists already, that
   * one is rolled forward and returned, and the files given here are dropped.
   * @throws OutputError; with `exists` after the commit, the result waits complete in staging
   */
  publish(request: Omit<PublishRequest, 'root'>): Promise<CommitRecord>;
  /** Rolls the newest record of that job forward; idempotent, in any process. */
  rollForward(record: CommitRecord): Promise<void>;
  /**
   * Clears what crashed attempts left in staging more than `olderThanMs` ago, and finishes what
   * they had committed. Resolves with the number of files removed.
   */
  sweep(olderThanMs: number): Promise<number>;
  /** Closes the folder handles; the store cannot be used afterwards. */
  close(): Promise<void>;
}

/**
 * `path_invalid`: the path leaves the root or is no legal name (permanent). `exists`: the name is
 * taken and the policy is `error` (permanent). `io`: the file system refused (transient).
 */
export class OutputError extends CodedError<'path_invalid' | 'exists' | 'io'> {}
