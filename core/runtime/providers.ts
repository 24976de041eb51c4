/** The providers that a set of agents needs, each chosen once, at start. */

import type { Agent } from '../agent/index.ts';
import {
  chooseProvider,
  type OfflineEndpoint,
  type Provider,
  type ProviderChoice,
  ProviderError,
  type ProviderQuery,
  startOfflineThread,
} from '../model/index.ts';

export interface ProvidersRequest {
  readonly config: Pick<ProviderQuery, 'provider' | 'providers' | 'model'>;
  readonly env: ProviderQuery['env'];
  /** Wins over the configured model; null for none. */
  readonly model: string | null;
  readonly agents: readonly Agent[];
  readonly onWarning: (line: string) => void;
}

export interface OpenedProviders {
  readonly provider: Provider;
  /** Those that agents name themselves. */
  readonly named: Readonly<Record<string, Provider>>;
  /** One line for each choice. */
  readonly reasons: readonly string[];
  /** Stops the offline endpoint, where there is one. */
  readonly close: () => Promise<void>;
}

/** @throws ProviderError when the configured provider cannot be used */
export async function openProviders(request: ProvidersRequest): Promise<OpenedProviders> {
  const { config, env, model } = request;
  const { provider, providers } = config;
  const main = await chooseProvider({ provider, providers, env, model: model ?? config.model });
  const named = await chooseNamed(request);
  const choices = [main, ...named.values()];
  const isOffline = choices.some((choice) => choice.provider === 'offline');
  const endpoint = isOffline ? await startOfflineThread() : null;
  return {
    provider: providerFrom(main, endpoint),
    named: Object.fromEntries(
      [...named].map(([name, choice]) => [name, providerFrom(choice, endpoint)]),
    ),
    reasons: choices.map(({ reason }) => reason),
    close: async () => {
      await endpoint?.close();
    },
  };
}

async function chooseNamed(request: ProvidersRequest): Promise<Map<string, ProviderChoice>> {
  const { config, env, agents, onWarning } = request;
  const names = new Set(agents.flatMap(({ model: { provider } }) => provider ?? []));
  names.delete(config.provider);
  const chosen = new Map<string, ProviderChoice>();
  for (const provider of names) {
    try {
      const query = { provider, providers: config.providers, env, model: null };
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
