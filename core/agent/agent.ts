/** An agent after its `agent.yaml` was read and checked. Plain data: it can cross threads. */

import { CodedError } from '../base/index.ts';
import type {
  JsonObject,
  Knowledge,
  ModelOptions,
  Output,
  Retry,
} from './manifest/manifest-type.ts';

export type { JsonObject, ModelOptions };

export type OutputFormat = Output['format'];
export type OverwritePolicy = Output['overwrite'];

export interface ModelSettings {
  /** Model id as the provider names it; null means the configured default. */
  readonly id: string | null;
  /** Name of an entry under `providers` in `aiq.config.yaml`; null means the configured one. */
  readonly provider: string | null;
  readonly options: ModelOptions;
}

export interface Agent {
  readonly name: string;
  readonly description: string;
  readonly version: string | null;
  readonly queue: string;
  /** SHA-256 (hex) over everything that defines the agent: manifest, template files, tool modules. */
  readonly digest: string;
  /** Absolute folder and file of the manifest. */
  readonly dir: string;
  readonly file: string;
  /** True for the agents that ship with aiq. */
  readonly builtIn: boolean;
  readonly model: ModelSettings;
  /** Handlebars sources, files already read in. */
  readonly instructions: TemplateSource;
  /** null: the input as JSON is the user message. */
  readonly prompt: TemplateSource | null;
  readonly input: {
    /** JSON Schema 2020-12 of the job's input. */
    readonly schema: JsonObject;
    /** Property that `--input`, positionals and standard input fill; null when it is not clear which. */
    readonly primary: string | null;
    /** Line of `input.schema` in the manifest, for messages. */
    readonly schemaLine: number;
  };
  readonly output: {
    readonly format: OutputFormat;
    readonly schema: JsonObject | null;
    /** Handlebars pattern of the path under the output folder. */
    readonly file: TemplateSource;
    readonly template: TemplateSource | null;
    readonly overwrite: OverwritePolicy;
    /** Whether extracts make sense where no model can be asked. */
    readonly extracts: boolean;
    /** True takes white space off both ends of a text; else it stays as the model wrote it. */
    readonly trim: boolean;
  };
  readonly tools: readonly string[];
  readonly knowledge: readonly Knowledge[];
  readonly limits: {
    readonly timeoutMs: number;
    readonly concurrency: number | null;
    readonly requestsPerMinute: number | null;
    readonly tokensPerMinute: number | null;
    readonly maxSteps: number;
    readonly maxInputTokens: number | null;
    readonly maxCost: number | null;
  };
  readonly retry: {
    readonly attempts: number;
    readonly backoff: Retry['backoff'];
    readonly delayMs: number;
    readonly maxDelayMs: number;
  };
  readonly metadata: JsonObject;
}

/** A template's text and where it is written, for messages. */
export interface TemplateSource {
  readonly text: string;
  readonly file: string;
  /** Line of the template's first line in `file`, from 1. */
  readonly line: number;
  /** What `file` has in front of the template's lines (a block's indentation), in columns. */
  readonly indent?: number;
}

/** One finding in an agent's folder. `hint` is the fix, when one is known. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** An agent folder that cannot be used; the others go on. */
export interface BrokenAgent {
  readonly name: string;
  readonly file: string;
  readonly problems: readonly Problem[];
}

/** What templates may see besides `input` and `agent`. */
export interface JobContext {
  readonly id: string;
  readonly shortId: string;
  readonly agent: string;
  readonly attempt: number;
  readonly source: string;
  /** ISO 8601, also the templates' `now`: fixed at enqueue, so that a retry renders the same prompt. */
  readonly createdAt: string;
}

/** One thing that is wrong with an input: property path, message with value and limit, suggestion. */
export interface InputProblem {
  readonly property: string;
  readonly message: string;
}

export interface ChatMessage {
  readonly role: 'system' | 'user';
  readonly content: string;
}

/** A file of a result: path relative to the output folder, not yet checked against it. */
export interface RenderedFile {
  readonly path: string;
  readonly content: string;
}

/** An agent with its schemas and templates compiled: checks inputs, renders prompts and outputs. */
export interface CompiledAgent {
  readonly agent: Agent;
  /** Fills in defaults and checks; never changes the value it was given. */
  checkInput(
    input: unknown,
  ):
    | { readonly ok: true; readonly input: JsonObject }
    | { readonly ok: false; readonly problems: InputProblem[] };
  /** @throws AgentError `template_failed` */
  renderMessages(input: JsonObject, job: JobContext): ChatMessage[];
  /**
   * Path of the output without an answer at hand, or null when the pattern needs `output`.
   * @param extractNotice as for `renderOutput`
   */
  renderPath(input: JsonObject, job: JobContext, extractNotice?: string | null): string | null;
  /**
   * Turns the model's answer into files.
   * @param extractNotice goes into the text of an extract whose name does not mark it; null for an answer
   * @throws AgentError `output_invalid` when a JSON answer does not fit `output.schema`,
   *   `template_failed` when a template fails
   */
  renderOutput(
    answer: string,
    input: JsonObject,
    job: JobContext,
    extractNotice?: string | null,
  ): RenderedFile[];
}

/** A failure that the agent's own files or the model's answer cause. */
export class AgentError extends CodedError<
  'template_failed' | 'output_invalid' | 'input_invalid' | 'path_invalid'
> {
  readonly problems: readonly InputProblem[];

  constructor(
    code: AgentError['code'],
    message: string,
    options?: ErrorOptions & { problems?: readonly InputProblem[] },
  ) {
    super(code, message, options);
    this.problems = options?.problems ?? [];
  }
}
