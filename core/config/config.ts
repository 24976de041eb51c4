/** `aiq.config.yaml` and the environment, merged and checked. */

export interface ProviderConfig {
  readonly baseURL: string | null;
  /** Already expanded from `${env:NAME}`; null when none. */
  readonly apiKey: string | null;
  /** The variable that `apiKey`, a header or a parameter names, when it is not set. */
  readonly apiKeyMissing?: string;
  /** The variables that key, headers and parameters name: their values go to the address. */
  readonly variables?: readonly string[];
  readonly model: string | null;
  /** Sent with every request, already expanded; may hold secrets. */
  readonly headers?: { readonly [name: string]: string };
  /** Parameters of every request's address, likewise. */
  readonly query?: { readonly [name: string]: string };
  /** Tokens that prompt and answer have room for, by model. */
  readonly contextTokens?: { readonly [model: string]: number };
  /** What it may be asked for, by all consumers of a broker together; absent without any, null for none of a kind. */
  readonly limits?: { readonly [name in (typeof providerLimits)[number]]: number | null };
}

/** Requests and tokens a minute, and calls in flight. */
export const providerLimits = ['requestsPerMinute', 'tokensPerMinute', 'concurrency'] as const;

export interface Config {
  /** The file that was read, absolute; null when none was found. */
  readonly file: string | null;
  /** Folder that relative paths refer to: the file's, else the working folder. */
  readonly baseDir: string;
  /** `file:<absolute dir>`, `unix:<absolute path>`, `tcp://host:port`. */
  readonly broker: string;
  /** File with the token for a `tcp://` broker, absolute; default `<baseDir>/.aiq/token`. */
  readonly brokerTokenFile: string;
  /** Default model id; null lets the provider choose. */
  readonly model: string | null;
  /** `auto`, `openai`, `offline`, `local` or a name under `providers`. */
  readonly provider: string;
  readonly providers: { readonly [name: string]: ProviderConfig };
  /** Absolute folders that hold agent folders, nearest first; the built-in one is not among them. */
  readonly agentPaths: readonly string[];
  readonly output: { /** Absolute. */ readonly dir: string };
  readonly run: {
    /** Jobs at one time, over all threads. */
    readonly concurrency: number;
    readonly threads: number;
    /** Time that the first SIGTERM leaves to running jobs. */
    readonly graceMs: number;
    /** How long an outage of a provider may last before a run that ends by itself gives up waiting. */
    readonly outageMs: number;
  };
  readonly limits: {
    /** Largest input file. */
    readonly inputBytesMax: number;
    /** Largest model answer. */
    readonly answerBytesMax: number;
    readonly timeoutMs: number;
    readonly idleMs: number;
  };
  /** In one currency. */
  readonly budgets: readonly BudgetConfig[];
  /** For a million tokens, by model. */
  readonly prices: {
    readonly [model: string]: RatesConfig & {
      readonly tiers?: readonly (RatesConfig & { readonly above: number })[];
    };
  };
}

/** What calls may cost in a period: those of an agent, of a model and with a tag, or of all where that is null. */
export interface BudgetConfig {
  readonly name: string;
  /** Millionths of the currency. */
  readonly amountMicros: number;
  /** ISO 4217. */
  readonly currency: string;
  readonly per: 'all' | 'day' | 'week' | 'month';
  /** IANA name of the zone in whose calendar days begin. */
  readonly timeZone: string;
  readonly agent: string | null;
  readonly model: string | null;
  readonly tag: string | null;
  /** Those of batches are made with them. */
  readonly batch: null;
}

interface RatesConfig {
  readonly input: number;
  readonly output: number;
  readonly cachedInput?: number;
  readonly cacheWrite?: number;
  readonly reasoning?: number;
}

/** A setting that cannot be used: which file and place, or which variable. */
export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConfigError';
  }
}
