/** Publishing a job's result: what is asked, what stands afterwards, how it fails. */

/** Where a job's files go and how a taken name is settled. */
export interface PublishRequest {
  /** Absolute output root; `.aiq/` inside it is ours. */
  readonly root: string;
  readonly jobId: string;
  /** Paths relative to the root with forward slashes, as rendered: not yet trusted. */
  readonly files: readonly { readonly path: string; readonly content: string | Uint8Array }[];
  readonly overwrite: 'error' | 'replace' | 'number';
  /** Kept in the commit record, for people and for `jobs show`: agent, model, provider, usage … */
  readonly provenance: { readonly [key: string]: unknown };
}

export interface PublishedFile {
  /** Final path relative to the root. */
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** The commit record of a job: `<root>/.aiq/commit/<jobId>`, linked exactly once. */
export interface CommitRecord {
  readonly version: 1;
  readonly jobId: string;
  readonly files: readonly (PublishedFile & {
    readonly staged: string;
    readonly replace: boolean;
  })[];
  readonly provenance: { readonly [key: string]: unknown };
  readonly committedAt: string;
}

export class OutputError extends Error {
  /**
   * `path_invalid`: the path leaves the root or is no legal name (permanent). `exists`: the name is
   * taken and the policy is `error` (permanent). `io`: the file system refused (transient).
   */
  readonly code: 'path_invalid' | 'exists' | 'io';

  constructor(code: OutputError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OutputError';
    this.code = code;
  }
}
