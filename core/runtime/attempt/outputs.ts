/** What a job's work may ask of output folders: the consumer's main thread answers, which alone writes there. */

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

export interface Outputs {
  /**
   * @param before the job of the same content that this one follows on; null for none
   * @throws OutputError `io`
   */
  find(dir: string, jobId: string, before: string | null): Promise<FoundBefore>;
  /**
   * Checks, before anything is bought, that a path is legal and free.
   * @param replaces the job whose unchanged files count as free; null for none
   * @throws OutputError
   */
  check(dir: string, path: string, overwrite: Overwrite, replaces: string | null): Promise<void>;
  /** What earlier attempts at the job sent, packed; null when nothing is kept. Never rejects. */
  prompts(jobId: string): Promise<Uint8Array | null>;
}
