/** The providers that a set of agents needs, each chosen once, at start. */

import type { Agent } from '../../agent/index.ts';
import {
  chooseProvider,
  type Provider,
  type ProviderChoice,
  ProviderError,
  type ProviderQuery,
} from '../../model/index.ts';
import { type OfflineEndpoint, startOfflineThread } from '../../offline-model/index.ts';
import { type Trust, useNeeds } from '../../trust/index.ts';

export interface ProvidersRequest {
  readonly config: Pick<ProviderQuery, 'provider' | 'providers' | 'model'>;
  readonly env: ProviderQuery['env'];
  /** Wins over the configured model; null for none. */
  readonly model: string | null;
  readonly agents: readonly Agent[];
  readonly trust: Trust;
  readonly onWarning: (line: string) => void;
}

export interface ChosenProviders {
  readonly provider: Provider;
  /** Those that agents name themselves. */
  readonly named: Readonly<Record<string, Provider>>;
}

export interface OpenedProviders extends ChosenProviders {
  /** Extracts were not asked for: there is only nothing else for agents that name no provider. */
  readonly isFallback: boolean;
  /** One line for each choice. */
  readonly reasons: readonly string[];
  /**
   * Those that a changed configuration chooses; null where it would choose the offline endpoint and
   * none runs: an outage never turns into extracts.
   * @throws ProviderError when the configured provider cannot be used
   */
  readonly chooseAgain: (request: ProvidersRequest) => Promise<ChosenProviders | null>;
  /** Stops the offline endpoint, where there is one. */
  readonly close: () => Promise<void>;
}

/** @throws ProviderError when the configured provider cannot be used */
export async function openProviders(request: ProvidersRequest): Promise<OpenedProviders> {
  const choices = await choose(request);
  const endpoint = needsOffline(choices) ? await startOfflineThread() : null;
  return {
    ...providersOf(choices, endpoint),
    isFallback: choices.main.isFallback,
    reasons: [choices.main, ...choices.named.values()].map(({ reason }) => reason),
    chooseAgain: async (changed) => {
      const now = await choose(changed);
      const wouldFallBack = now.main.isFallback || (endpoint === null && needsOffline(now));
      return wouldFallBack ? null : providersOf(now, endpoint);
    },
    close: async () => {
      await endpoint?.close();
    },
  };
}

/** Nothing goes to an address before that is allowed. */
export function allowedBy(trust: Pick<Trust, 'allow'>): ProviderQuery['allow'] {
  return (use) => trust.allow(useNeeds(use));
}

interface Choices {
  readonly main: ProviderChoice;
  readonly named: ReadonlyMap<string, ProviderChoice>;
}

async function choose(request: ProvidersRequest): Promise<Choices> {
  const { config, env, model } = request;
  const { provider, providers } = config;
  const main = await chooseProvider({
    provider,
    providers,
    env,
    model: model ?? config.model,
    allow: allowedBy(request.trust),
  });
  return { main, named: await chooseNamed(request) };
}

function needsOffline({ main, named }: Choices): boolean {
  return [main, ...named.values()].some((choice) => choice.provider === 'offline');
}

function providersOf({ main, named }: Choices, endpoint: OfflineEndpoint | null): ChosenProviders {
  const byName = [...named].map(
    ([name, choice]) => [name, providerFrom(choice, endpoint)] as const,
  );
  return { provider: providerFrom(main, endpoint), named: Object.fromEntries(byName) };
}

async function chooseNamed(request: ProvidersRequest): Promise<Map<string, ProviderChoice>> {
  const { config, env, agents, trust, onWarning } = request;
  const names = new Set(agents.flatMap(({ model: { provider } }) => provider ?? []));
  names.delete(config.provider);
  const chosen = new Map<string, ProviderChoice>();
  for (const provider of names) {
    try {
      const { providers } = config;
      const query = { provider, providers, env, model: null, allow: allowedBy(trust) };
      chosen.set(provider, await chooseProvider(query));
    } catch (error) {
      // One provider that cannot be used stops its own agents only; the runtime leaves them out.
      if (!(error instanceof ProviderError)) throw error;
      onWarning(error.message);
    }
  }
  return chosen;
}

function providerFrom(choice: ProviderChoice, endpoint: OfflineEndpoint | null): Provider {
  if (choice.provider !== 'offline') return choice.provider;
  const { baseURL = '', apiKey = '' } = endpoint ?? {};
  return { name: 'offline', kind: 'offline', baseURL, apiKey, defaultModel: choice.model };
}
