/** The addresses that configuration and environment name for model calls, and what would be sent there. */

import type { Provider } from '../model.ts';
import { isOpenAiHost } from './base-url.ts';
import { ProviderError } from './provider-error.ts';

export const openAiBaseURL = 'https://api.openai.com/v1';
export const localBaseURL = 'http://127.0.0.1:11434/v1';

/** What the `openai` package reads from the process's environment and sends to a provider of that name. */
const sdkVariables = ['OPENAI_ORG_ID', 'OPENAI_PROJECT_ID', 'OPENAI_CUSTOM_HEADERS'];

export interface ProviderQuery {
  /** `auto`, `openai`, `offline`, `local` or a name under `providers`. */
  readonly provider: string;
  readonly providers: { readonly [name: string]: ProviderSettings };
  /** From the flag or the configuration; null leaves the choice to the provider. */
  readonly model: string | null;
  readonly env: { readonly [name: string]: string | undefined };
  /** How long the local server may take to answer; default 300. */
  readonly probeMs?: number;
  /** False where extracts would be taken for answers, for instance on a shared queue; default true. */
  readonly allowOffline?: boolean;
  readonly fetch?: typeof fetch;
  /** Asked before anything goes to the chosen address; what it throws is thrown. */
  readonly allow: (use: ProviderUse) => Promise<void>;
}

/** What a provider is given besides the texts, and where that goes. */
export interface ProviderUse {
  readonly baseURL: string;
  /** Names of the variables of the environment whose values are sent. */
  readonly variables: readonly string[];
  /** True for a server that was found to listen and is named nowhere. */
  readonly isFound: boolean;
}

export interface ProviderSettings {
  readonly baseURL: string | null;
  readonly apiKey: string | null;
  /** The variable that should hold the key, when it is not set: such a provider is not called. */
  readonly apiKeyMissing?: string;
  /** The variables that key, headers and parameters have their values from. */
  readonly variables?: readonly string[];
  readonly model: string | null;
  readonly headers?: Provider['headers'];
  readonly query?: Provider['query'];
  readonly contextTokens?: Provider['contextTokens'];
  readonly limits?: Provider['limits'];
}

/** The part of a query that decides the address. */
type AddressQuery = Pick<ProviderQuery, 'provider' | 'providers' | 'env'>;

export interface Address {
  readonly name: string;
  /** null: OpenAI's own. */
  readonly baseURL: string | null;
  readonly apiKey: string | null;
  readonly model: string | null;
  readonly because: string;
  /** Those whose values are sent there. */
  readonly variables?: readonly string[];
}

/** What the name or the environment points to; null when only a probe can find one. */
export function addressOf(query: AddressQuery): Address | null {
  const { provider: name, env } = query;
  const settings = settingsOf(query);
  const fromEnv = env['OPENAI_API_KEY'] || env['OPENAI_BASE_URL'];
  if (name === 'openai' || (name === 'auto' && fromEnv)) return openAi(settings, env);
  if (settings === undefined) {
    if (name === 'auto' || name === 'local') return null;
    throw unknownProvider(query);
  }
  if (settings.baseURL === null) {
    throw new ProviderError(
      'bad_base_url',
      `provider ${name}: no baseURL. Set \`providers.${name}.baseURL\` in aiq.config.yaml.`,
    );
  }
  return { name, because: 'by configuration', ...settings };
}

export function settingsOf({ provider, providers }: AddressQuery): ProviderSettings | undefined {
  return Object.hasOwn(providers, provider) ? providers[provider] : undefined;
}

function openAi(settings: ProviderSettings | undefined, env: ProviderQuery['env']): Address {
  const configured = settings?.baseURL ?? null;
  // The key of the environment belongs to the address of the environment, and to OpenAI's own.
  const mayUseEnvKey = configured === null || isOpenAiHost(configured);
  const envKey = mayUseEnvKey ? env['OPENAI_API_KEY'] || null : null;
  const apiKey = settings?.apiKey ?? envKey;
  return {
    name: 'openai',
    baseURL: configured ?? (env['OPENAI_BASE_URL'] || null),
    apiKey,
    model: settings?.model ?? null,
    because: apiKey === null ? 'without a key' : 'API key found',
    variables: sentAlong(settings, envKey, env),
  };
}

/** What the settings name, and what goes along without being named. */
function sentAlong(
  settings: ProviderSettings | undefined,
  envKey: string | null,
  env: ProviderQuery['env'],
): string[] {
  const key = settings?.apiKey == null && envKey !== null ? ['OPENAI_API_KEY'] : [];
  const bySdk = sdkVariables.filter((name) => env[name] || process.env[name]);
  return [...(settings?.variables ?? []), ...key, ...bySdk];
}

/** Everything that the names of a configuration and the environment may send, and where. */
export function usesOf(query: AddressQuery): ProviderUse[] {
  const { provider, providers } = query;
  const names = new Set([provider, 'openai', 'local', ...Object.keys(providers)]);
  names.delete('offline');
  return [...names].flatMap((name) => {
    try {
      const address = addressOf({ ...query, provider: name });
      const isFound = name === 'auto' && address === null;
      const baseURL = address === null ? localBaseURL : (address.baseURL ?? openAiBaseURL);
      const settings = isFound ? 'local' : (address?.name ?? name);
      return [useOf(query, { name: settings, baseURL, variables: address?.variables, isFound })];
    } catch (error) {
      // What cannot be used as it is configured is sent nothing.
      if (error instanceof ProviderError) return [];
      throw error;
    }
  });
}

/** Somewhere that things are sent, by the name of its settings. */
interface Destination {
  readonly name: string;
  readonly baseURL: string;
  readonly variables?: readonly string[] | undefined;
  readonly isFound?: boolean;
}

export function useOf(
  { providers }: Pick<ProviderQuery, 'providers'>,
  { name, baseURL, variables = [], isFound = false }: Destination,
): ProviderUse {
  const named = (Object.hasOwn(providers, name) && providers[name]?.variables) || [];
  return { baseURL, variables: [...new Set([...named, ...variables])], isFound };
}

function unknownProvider({ provider, providers }: AddressQuery): ProviderError {
  const known = new Set(['auto', 'openai', 'local', 'offline', ...Object.keys(providers)]);
  return new ProviderError(
    'unknown_provider',
    `provider "${provider}" is not known; there are ${[...known].join(', ')}. ` +
      'Add it under `providers` in aiq.config.yaml, with its baseURL.',
  );
}
