/**
 * A consumer as configuration describes it: its providers chosen and announced, the offline endpoint
 * started when one of them is that, and the runtime on top.
 */

import type { ProviderQuery } from '../model/index.ts';
import type { Runtime, RuntimeOptions } from './options.ts';
import { openProviders } from './providers.ts';
import { startRuntime } from './runtime.ts';

/** The part of the configuration that a consumer goes by. */
export interface ConsumerConfig extends Pick<RuntimeOptions, 'limits' | 'prices'> {
  readonly baseDir: string;
  readonly broker: string;
  readonly model: string | null;
  readonly provider: string;
  readonly providers: ProviderQuery['providers'];
  readonly run: { readonly graceMs: number };
}

export interface ConsumerOptions
  extends Pick<
    RuntimeOptions,
    'queue' | 'agents' | 'outputDir' | 'concurrency' | 'threads' | 'log' | 'onJob'
  > {
  readonly config: ConsumerConfig;
  readonly env: ProviderQuery['env'];
  /** Model id that wins over the agents' own; null for none. */
  readonly model: string | null;
  /** Told once, per provider, which one was chosen and why. */
  readonly onProvider: (line: string) => void;
  /** Told about a provider that cannot be used; only the agents that name it are left out. */
  readonly onWarning: (line: string) => void;
}

export interface StartedConsumer {
  readonly runtime: Runtime;
  /** Stops the offline endpoint; the runtime must have ended. */
  readonly close: () => Promise<void>;
}

/**
 * Starts working.
 * @throws ProviderError when no provider can be used as asked for; what `startRuntime` throws
 */
export async function startConsumer(options: ConsumerOptions): Promise<StartedConsumer> {
  const { config, env, model, onProvider, onWarning, ...rest } = options;
  const opened = await openProviders({ config, env, model, agents: rest.agents, onWarning });
  try {
    for (const reason of opened.reasons) onProvider(reason);
    const runtime = await startRuntime({
      ...rest,
      provider: opened.provider,
      providers: opened.named,
      modelFlag: model,
      configModel: config.model,
      // Behind a folder's socket producer and consumer are the same user; elsewhere they need not be.
      jobOutputDirs: config.broker.startsWith('file:'),
      baseDir: config.baseDir,
      limits: config.limits,
      prices: config.prices,
      graceMs: config.run.graceMs,
    });
    return { runtime, close: opened.close };
  } catch (error) {
    await opened.close();
    throw error;
  }
}
