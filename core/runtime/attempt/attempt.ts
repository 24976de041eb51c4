/** What the steps of one attempt are given: the agent made ready, the output folder, the limits. */

import type { Agent, CompiledAgent, JobContext, JsonObject } from '../../agent/index.ts';
import type { RateTerms } from '../../job-queue/index.ts';
import type { ModelCaller, Price, Provider } from '../../model/index.ts';
import type { Services } from '../pool/questions.ts';
import type { AttemptMoney } from './money.ts';
import type { Outputs } from './outputs.ts';
import type { PaidOnce } from './paid-once.ts';
import type { SentCalls } from './prompts.ts';
import type { JobRequest } from './result.ts';
import type { ToolSet } from './tools/tool-calls.ts';
import type { UsageMeter } from './usage.ts';

/** An agent made ready in this thread, with the model and provider that it uses here. */
export interface ReadyAgent {
  readonly agent: Agent;
  readonly compiled: CompiledAgent;
  readonly model: string;
  readonly provider: Provider;
  /** Null where it is unknown. */
  readonly price: Price | null;
  /** Tokens that an answer of the model has at most; null where that is unknown. */
  readonly outputTokensMax: number | null;
  /** Null where no rate concerns its calls. */
  readonly rates: RateTerms | null;
  readonly caller: ModelCaller;
  /** Null for an agent that uses no tools. */
  readonly toolSet: ToolSet | null;
}

export interface JobTools extends Pick<Services, 'journal' | 'money'> {
  readonly outputs: Outputs;
  readonly idleMs: number;
  readonly answerBytesMax: number;
  /** Null for an agent that this consumer does not have. */
  agent(name: string): Promise<ReadyAgent | null>;
  /**
   * The job's own output folder, or the consumer's when it names none.
   * @throws AttemptError `output_dir_refused`
   */
  outputDir(dir: string | null): string;
  /** Runs code of an agent that may block the thread: the job is named while it does. */
  blocking<T>(work: () => T): T;
}

/** What all steps of one run share. */
export interface AttemptContext {
  readonly tools: JobTools;
  readonly request: JobRequest;
  readonly meter: UsageMeter;
  readonly paid: PaidOnce;
  readonly money: AttemptMoney;
  readonly sent: SentCalls;
  readonly signal: AbortSignal;
  readonly startedAtMs: number;
  /** Texts of the input that must stand in no message and no file but the job's own; filled once it is read. */
  readonly secrets: Set<string>;
}

export interface Attempt extends AttemptContext {
  /** Absolute output folder. */
  readonly dir: string;
  readonly ready: ReadyAgent;
  readonly input: JsonObject;
  readonly context: JobContext;
  /** What an extract says of itself; null for an answer. */
  readonly extractNotice: string | null;
  /** The job whose extract this result takes the place of; null for none. */
  readonly replaces: string | null;
}
