/**
 * Chooses where model calls go: what was asked for by name, else the environment, else a local
 * server, else the offline endpoint. Decides once, at start: a provider that fails later is never
 * replaced by another.
 */

import type { Provider } from '../model.ts';
import { noKey } from './authorization.ts';
import { checkedBaseURL, isOpenAiHost, shownBaseURL } from './base-url.ts';
import { listModels } from './model-list.ts';
import {
  type Address,
  addressOf,
  localBaseURL,
  openAiBaseURL,
  type ProviderQuery,
  settingsOf,
  useOf,
} from './provider-address.ts';
import { ProviderError } from './provider-error.ts';

/** The only model of the offline endpoint (`core/offline-model`). */
export const offlineModel = 'aiq-offline';
export const openAiDefaultModel = 'gpt-5-mini';
const listTimeoutMs = 10_000;

export interface ProviderChoice {
  /** `offline`: the endpoint of this process, which the caller starts. */
  readonly provider: Provider | 'offline';
  /** True where extracts were not asked for: there is only nothing else. */
  readonly isFallback: boolean;
  /** Model id for agents that name none. */
  readonly model: string;
  /** One line to print at start. */
  readonly reason: string;
}

/** @throws ProviderError when the choice cannot be used as configured */
export async function chooseProvider(query: ProviderQuery): Promise<ProviderChoice> {
  if (query.provider === 'offline') return offline(query, 'asked for');
  const address = addressOf(query);
  const wantsOffline = query.model?.startsWith(offlineModel) === true;
  // With an address of its own the id names a model there, for instance an endpoint under test.
  if (wantsOffline && (address === null || address.baseURL === null)) {
    return offline(query, `model ${query.model}`);
  }
  if (address !== null) return at(query, address);
  return query.provider === 'local' ? local(query) : automatic(query);
}

/** The model id for a call: an agent's own, unless the provider can run nothing but extracts. */
export function modelFor(provider: Provider, wanted: string | null): string {
  if (wanted === null) return provider.defaultModel;
  if (provider.kind === 'offline' && !wanted.startsWith(offlineModel)) return provider.defaultModel;
  return wanted;
}

async function at(query: ProviderQuery, address: Address): Promise<ProviderChoice> {
  const { name, because } = address;
  const missing = settingsOf(query)?.apiKeyMissing;
  if (missing !== undefined) throw keyNotSet(name, missing);
  const baseURL = checkedBaseURL(name, address.baseURL ?? openAiBaseURL);
  const isOpenAi = isOpenAiHost(baseURL);
  if (isOpenAi && address.apiKey === null) throw noCredentials(name);
  await query.allow(useOf(query, { name, baseURL, variables: address.variables }));
  const apiKey = address.apiKey ?? noKey;
  const more = moreOf(query, name);
  const model =
    query.model ??
    address.model ??
    (isOpenAi ? openAiDefaultModel : await firstModel(query, { name, baseURL, apiKey, ...more }));
  const kind = isOpenAi ? 'openai' : name === 'local' ? 'local' : 'compatible';
  return {
    provider: { name, kind, baseURL, apiKey, defaultModel: model, ...more },
    isFallback: false,
    model,
    reason: `provider: ${name} (${because}; ${shownBaseURL({ baseURL, apiKey })}), model ${model}.`,
  };
}

/** What the configuration adds to a provider of that name, however it was chosen. */
function moreOf(
  { providers }: ProviderQuery,
  name: string,
): Pick<Provider, 'headers' | 'query' | 'contextTokens' | 'limits'> {
  const { headers, query, contextTokens, limits } =
    (Object.hasOwn(providers, name) && providers[name]) || {};
  return {
    ...(headers === undefined ? {} : { headers }),
    ...(query === undefined ? {} : { query }),
    ...(contextTokens === undefined ? {} : { contextTokens }),
    ...(limits === undefined ? {} : { limits }),
  };
}

function noCredentials(name: string): ProviderError {
  return new ProviderError(
    'no_credentials',
    `provider ${name}: no API key. Set OPENAI_API_KEY, or \`providers.${name}.apiKey\` in ` +
      'aiq.config.yaml. Without a key, `--provider offline` gives extracts.',
  );
}

function keyNotSet(name: string, variable: string): ProviderError {
  return new ProviderError(
    'no_credentials',
    `provider ${name}: ${variable} is not set, which \`providers.${name}\` names. Set it in the ` +
      'environment or in .env; for a server that wants no key, leave apiKey out.',
  );
}

async function firstModel(
  query: ProviderQuery,
  { name, baseURL, ...access }: Pick<Provider, 'name' | 'baseURL' | 'apiKey' | 'headers' | 'query'>,
): Promise<string> {
  const { apiKey } = access;
  const list = await listModels(baseURL, {
    ...access,
    timeoutMs: listTimeoutMs,
    fetch: query.fetch ?? fetch,
  });
  const first = list.ok ? list.models[0] : undefined;
  if (first !== undefined) return first;
  const found = list.ok ? 'the list is empty' : list.reason;
  throw new ProviderError(
    'no_model',
    `provider ${name}: no model is configured, and GET ${shownBaseURL({ baseURL, apiKey })}/models does not help ` +
      `(${found}). Name one with --model, or with \`model\` in aiq.config.yaml.`,
  );
}

/** Lists its models without a key: nothing secret is sent. */
async function probeLocal(
  query: ProviderQuery,
  timeoutMs: number,
): Promise<ReturnType<typeof listModels>> {
  return listModels(localBaseURL, { apiKey: noKey, timeoutMs, fetch: query.fetch ?? fetch });
}

async function automatic(query: ProviderQuery): Promise<ProviderChoice> {
  const list = await probeLocal(query, query.probeMs ?? 300);
  const first = list.ok ? list.models[0] : undefined;
  if (first !== undefined) return localChoice(query, first, true);
  const found = list.ok ? 'no model on the server at' : 'no server on';
  const tried = `no OPENAI_API_KEY; ${found} 127.0.0.1:11434`;
  refuseOffline(query, tried);
  return { ...offline(query, tried), isFallback: true };
}

async function local(query: ProviderQuery): Promise<ProviderChoice> {
  const list = await probeLocal(query, Math.max(query.probeMs ?? 300, 3000));
  const first = list.ok ? (query.model ?? list.models[0]) : undefined;
  if (first !== undefined) return localChoice(query, first, false);
  throw new ProviderError(
    'no_local_server',
    `provider local: no model server at 127.0.0.1:11434 (${list.ok ? 'it has no model' : list.reason}). ` +
      'Start one (for instance Ollama), or set `providers.local.baseURL` in aiq.config.yaml.',
  );
}

async function localChoice(
  query: ProviderQuery,
  first: string,
  isFound: boolean,
): Promise<ProviderChoice> {
  await query.allow(useOf(query, { name: 'local', baseURL: localBaseURL, isFound }));
  const model = query.model ?? first;
  return {
    provider: {
      name: 'local',
      kind: 'local',
      baseURL: localBaseURL,
      apiKey: noKey,
      defaultModel: model,
      ...moreOf(query, 'local'),
    },
    isFallback: false,
    model,
    reason: `provider: local (a server answers on 127.0.0.1:11434), model ${model}.`,
  };
}

/** @throws ProviderError `bad_model` */
function offline(query: ProviderQuery, because: string): ProviderChoice {
  const model = query.model?.startsWith(offlineModel) ? query.model : offlineModel;
  const problem = checkOfflineModel(model);
  if (problem !== null) throw new ProviderError('bad_model', `provider offline: ${problem}`);
  return {
    provider: 'offline',
    isFallback: false,
    model,
    reason: `provider: offline (${because}). Answers are extracts, no AI is called.`,
  };
}

/** What is wrong with an id that begins like the offline model's; null for it and for all others. */
export function checkOfflineModel(id: string): string | null {
  if (!id.startsWith(offlineModel) || id === offlineModel) return null;
  return `there is no model "${id}"; there is ${offlineModel}.`;
}

/** In production and on shared queues extracts must be asked for, so that none passes for an answer. */
function refuseOffline({ env, allowOffline }: ProviderQuery, tried: string): void {
  const obstacles = [
    env['NODE_ENV'] === 'production' && 'NODE_ENV is production',
    env['AIQ_OFFLINE'] === '0' && 'AIQ_OFFLINE is 0',
    allowOffline === false && 'others share this queue',
  ];
  const because = obstacles.find((obstacle) => obstacle !== false);
  if (because === undefined) return;
  throw new ProviderError(
    'no_credentials',
    `no model provider (${tried}), and extracts must be asked for here, as ${because}. ` +
      'Set OPENAI_API_KEY or OPENAI_BASE_URL, or give `--provider offline`.',
  );
}
