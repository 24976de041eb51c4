/** What a job's work may know of output folders. The consumer's main thread alone writes there. */

import type { Overwrite } from '../../output/index.ts';

/** A result that the job has in the folder already, made by whatever broker's consumer. */
export interface FoundResult {
  readonly files: readonly string[];
  readonly provider: string;
  readonly model: string;
}

export interface FoundBefore {
  readonly result: FoundResult | null;
  /** Whether the job before this one left an extract there. */
  readonly isAfterExtract: boolean;
}

/** What the main thread is asked for. */
export interface AskedOutputs {
  /**
   * Makes a folder ready to be read and written.
   * @throws OutputError `io`
   */
  open(dir: string): Promise<void>;
  /** What earlier attempts at the job sent, as JSON; null when nothing is kept. Never rejects. */
  prompts(jobId: string): Promise<Uint8Array | null>;
}

export interface Outputs extends Pick<AskedOutputs, 'prompts'> {
  /**
   * @param before the job of the same content that this one follows on; null for none
   * @throws OutputError `io`
   */
  find(dir: string, jobId: string, before: string | null): Promise<FoundBefore>;
  /**
   * Checks, before anything is bought, that a path is legal and free.
   * @param replaces the job whose unchanged files count as free; null for none
   * @returns the path, in its normal form, where nothing lies there yet; null where something may be replaced
   * @throws OutputError
   */
  check(
    dir: string,
    path: string,
    overwrite: Overwrite,
    replaces: string | null,
  ): Promise<string | null>;
}
