/**
 * Derived from `schema/agent.schema.json`; after a change of it, write this file again with
 * `npx vitest run test/unit/agent/manifest-type.test.ts -u`.
 */

export type JsonObject = { [key: string]: unknown };

export interface Manifest {
  readonly $schema?: string;
  readonly name?: string;
  readonly description: string;
  readonly version?: string;
  readonly queue?: string;
  readonly model: string | Model;
  readonly instructions: string | Template;
  readonly prompt?: string | Template;
  readonly input?: Input;
  readonly output: Output;
  readonly tools: readonly string[];
  readonly knowledge: readonly Knowledge[];
  readonly limits: Limits;
  readonly retry: Retry;
  readonly metadata: JsonObject;
}

export interface Model {
  readonly id?: string;
  readonly provider?: string;
  readonly options: ModelOptions;
}

export interface ModelOptions {
  readonly temperature?: number;
  readonly topP?: number;
  readonly maxOutputTokens?: number;
  readonly seed?: number;
  readonly stopSequences?: readonly string[];
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  readonly reasoningEffort?: string;
  readonly verbosity?: 'low' | 'medium' | 'high';
  readonly extra?: JsonObject;
}

export interface Template {
  readonly file: string;
}

export interface Input {
  readonly schema: JsonObject;
  readonly primary?: string;
}

export interface Output {
  readonly format: 'text' | 'markdown' | 'json' | 'files';
  readonly schema?: JsonObject;
  readonly file?: string;
  readonly template?: string | Template;
  readonly overwrite: 'error' | 'replace' | 'number';
  readonly extracts?: boolean;
  readonly trim: boolean;
}

export interface Knowledge {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly chunkSize: number;
}

export interface Limits {
  readonly timeout?: string;
  readonly concurrency?: number;
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  readonly maxSteps: number;
  readonly maxInputTokens?: number;
  readonly maxCost?: number;
}

export interface Retry {
  readonly attempts: number;
  readonly backoff: 'exponential' | 'fixed';
  readonly delay: string;
  readonly maxDelay: string;
}
