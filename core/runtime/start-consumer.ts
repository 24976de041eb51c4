/**
 * A consumer as configuration describes it: its providers chosen and announced, the offline endpoint
 * started when one of them is that, and the runtime on top.
 */

import type { ProviderQuery } from '../model/index.ts';
import { jobNeeds, type Trust } from '../trust/index.ts';
import { extractingAgents } from './agents/extracts.ts';
import type { ReloadedAgents, Runtime, RuntimeOptions } from './options.ts';
import { type OpenedProviders, openProviders } from './providers/providers.ts';
import { startRuntime } from './runtime.ts';

/** The part of the configuration that a consumer goes by. */
export interface ConsumerConfig extends Pick<RuntimeOptions, 'limits' | 'prices'> {
  readonly baseDir: string;
  readonly model: string | null;
  readonly provider: string;
  readonly providers: ProviderQuery['providers'];
  readonly run: { readonly graceMs: number; readonly outageMs: number };
}

/** What a person may change while a provider is held. */
export type Mendable = Pick<ConsumerOptions, 'config' | 'env' | 'agents' | 'trust'>;

export interface ConsumerOptions
  extends Pick<
    RuntimeOptions,
    | 'queue'
    | 'agents'
    | 'outputDir'
    | 'concurrency'
    | 'threads'
    | 'budgets'
    | 'log'
    | 'onJob'
    | 'onStuck'
  > {
  readonly config: ConsumerConfig;
  readonly env: ProviderQuery['env'];
  /** Asked before code of the agents runs, and before a key leaves. */
  readonly trust: Trust;
  /** Reads them again as they are now; what it throws means: not usable at the moment. */
  readonly reread?: () => Promise<Mendable>;
  /** Model id that wins over the agents' own; null for none. */
  readonly model: string | null;
  /** Called once per provider: which one was chosen and why. */
  readonly onProvider: (line: string) => void;
  /** Called for a provider that cannot be used; only the agents that name it are left out. */
  readonly onWarning: (line: string) => void;
}

export interface StartedConsumer {
  readonly runtime: Runtime;
  /** Stops the offline endpoint; the runtime must have ended. */
  readonly close: () => Promise<void>;
}

/**
 * Starts working.
 * @throws ProviderError when no provider can be used as asked for; TrustError when the folder may not
 *   do what it needs; what `startRuntime` throws
 */
export async function startConsumer(options: ConsumerOptions): Promise<StartedConsumer> {
  const { config, env, model, reread, trust, onProvider, onWarning, ...rest } = options;
  await trust.allow(rest.agents.flatMap(jobNeeds));
  const opened = await openProviders({ config, env, model, agents: rest.agents, trust, onWarning });
  try {
    for (const reason of opened.reasons) onProvider(reason);
    const { provider } = config;
    const agents = opened.isFallback
      ? await extractingAgents({ ...rest, provider, onWarning })
      : rest.agents;
    const runtime = await startRuntime({
      ...rest,
      agents,
      provider: opened.provider,
      providers: opened.named,
      modelFlag: model,
      configModel: config.model,
      // Where producer and consumer are the same user; elsewhere they need not be.
      jobOutputDirs: rest.queue.sharedBy === 'user',
      baseDir: config.baseDir,
      limits: config.limits,
      prices: config.prices,
      graceMs: config.run.graceMs,
      outageMs: config.run.outageMs,
      isOneMachine: rest.queue.sharedBy !== 'network',
      ...(reread === undefined
        ? {}
        : {
            reload: () => reload(reread, opened, model),
            rereadAgents: async () => (await allowed(reread)).agents,
          }),
    });
    return { runtime, close: opened.close };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** @throws TrustError when they want what has not been allowed */
async function allowed(reread: NonNullable<ConsumerOptions['reread']>): Promise<Mendable> {
  const found = await reread();
  await found.trust.allow(found.agents.flatMap(jobNeeds));
  return found;
}

async function reload(
  reread: NonNullable<ConsumerOptions['reread']>,
  opened: OpenedProviders,
  model: string | null,
): Promise<ReloadedAgents | null> {
  const { config, env, agents, trust } = await allowed(reread);
  const chosen = await opened.chooseAgain({
    config,
    env,
    model,
    agents,
    trust,
    onWarning: () => {},
  });
  if (chosen === null) return null;
  const { provider, named: providers } = chosen;
  return { agents, provider, providers, configModel: config.model };
}
