/** What passes between the consumer and the process of one isolated run, both ways. */

import type { JobRequest, StopReason } from '../attempt/result.ts';
import type { Answer, Question } from '../pool/questions.ts';
import type { RunEnd } from '../pool/run.ts';
import type { ThreadData } from '../pool/thread-messages.ts';

/** `begin` comes first and once. */
export type ToProcess =
  | {
      readonly type: 'begin';
      /** Address of the file that the process's worker thread runs. */
      readonly entry: string;
      readonly data: Omit<ThreadData, 'activeRun'>;
      readonly heapMegabytesMax: number;
      readonly request: JobRequest;
    }
  | { readonly type: 'stop'; readonly reason: StopReason }
  | Answer;

/** `ended` comes last. */
export type FromProcess =
  | { readonly type: 'memory'; readonly residentBytes: number }
  | { readonly type: 'ended'; readonly end: RunEnd }
  | Question;
