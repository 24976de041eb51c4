/** A way to work off jobs with a model: a consumer process that waits, is given jobs, and says when they are done. */

import type { Provider } from '../../core/model/index.ts';

export interface Contestant {
  readonly name: string;
  readonly title: string;
  /** Why it is left out here, and what would bring it in; null when it can take part. */
  readonly missing: string | null;
  /** Resolves once the consumer waits for jobs. */
  start(options: ContestantOptions): Promise<Running>;
}

export interface ContestantOptions {
  /** Of its own, empty. */
  readonly dir: string;
  readonly provider: Provider;
  /** Calls at one time. */
  readonly concurrency: number;
}

export interface Running {
  /** Of the consumer. */
  readonly pid: number;
  /** Of the broker or the database behind it; null when there is none. */
  readonly serverPid: number | null;
  /** Hands over the texts, and resolves when each has its file and, where there is a queue, its acknowledgement. */
  run(texts: readonly string[]): Promise<void>;
  /** Where the files go. */
  readonly outputDir: string;
  stop(): Promise<void>;
}

export const systemPrompt = 'Say yes.';
