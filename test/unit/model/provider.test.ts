/** Where calls go: every step of the order of choice, and every way it is refused. */

import { expect, test } from 'vitest';
import {
  checkOfflineModel,
  chooseProvider,
  modelFor,
  type Provider,
  ProviderError,
  type ProviderQuery,
} from '../../../core/model/index.ts';

const asked: string[] = [];

/** Answers `GET /models` at the given addresses and refuses all others. */
function models(lists: { readonly [baseURL: string]: readonly string[] }): typeof fetch {
  return (input) => {
    const url = input as string;
    asked.push(url);
    const list = lists[url.replace(/\/models$/, '')];
    if (list === undefined) return Promise.reject(new TypeError('fetch failed'));
    return Promise.resolve(Response.json({ data: list.map((id) => ({ id })) }));
  };
}

const localURL = 'http://127.0.0.1:11434/v1';

function query(changes: Partial<ProviderQuery> = {}): ProviderQuery {
  const allow = () => Promise.resolve();
  const nothing = { provider: 'auto', providers: {}, model: null, env: {}, allow };
  return { ...nothing, fetch: models({}), ...changes };
}

async function codeOf(changes: Partial<ProviderQuery>): Promise<string> {
  try {
    await chooseProvider(query(changes));
  } catch (error) {
    if (error instanceof ProviderError) return error.code;
    throw error;
  }
  return 'none';
}

const settings = { baseURL: 'https://llm.example/v1/', apiKey: 'k-1', model: null };

test('with nothing configured the offline endpoint is chosen, and says so in one line', async () => {
  expect(await chooseProvider(query())).toEqual({
    provider: 'offline',
    isFallback: true,
    model: 'aiq-offline',
    reason:
      'provider: offline (no OPENAI_API_KEY; no server on 127.0.0.1:11434). Answers are extracts, no AI is called.',
  });
});

test('a local server that answers comes before offline, with the first model that is no embedder', async () => {
  const fetch = models({ [localURL]: ['nomic-embed-text', 'llama'] });
  expect(await chooseProvider(query({ fetch }))).toMatchObject({
    provider: { kind: 'local', baseURL: localURL, defaultModel: 'llama' },
    model: 'llama',
  });
  const empty = await chooseProvider(query({ fetch: models({ [localURL]: [] }) }));
  expect(empty).toMatchObject({
    provider: 'offline',
    reason: expect.stringContaining('no model on'),
  });
});

test('a key in the environment comes before both, and nothing is asked over the network', async () => {
  asked.length = 0;
  const choice = await chooseProvider(query({ env: { OPENAI_API_KEY: 'sk-1' } }));
  expect(choice).toMatchObject({
    provider: { kind: 'openai', baseURL: 'https://api.openai.com/v1', apiKey: 'sk-1' },
    model: 'gpt-5-mini',
  });
  expect(choice.reason).not.toContain('sk-1');
  expect(asked).toEqual([]);
});

test('a base URL without a model takes the first of its list, else says what to do', async () => {
  const env = { OPENAI_BASE_URL: 'http://llm.example/v1/' };
  const fetch = models({ 'http://llm.example/v1': ['a', 'b'] });
  expect(await chooseProvider(query({ env, fetch }))).toMatchObject({
    provider: { kind: 'compatible', baseURL: 'http://llm.example/v1', defaultModel: 'a' },
  });
  await expect(chooseProvider(query({ env }))).rejects.toMatchObject({
    code: 'no_model',
    message: expect.stringContaining('--model'),
  });
});

test('an explicit provider comes before the environment, and gets no key but its own', async () => {
  const env = { OPENAI_API_KEY: 'sk-secret', OPENAI_BASE_URL: 'http://elsewhere.example/v1' };
  const providers = { mine: { ...settings, apiKey: null } };
  const choice = await chooseProvider(query({ provider: 'mine', providers, env, model: 'x' }));
  expect(choice.provider).toEqual({
    name: 'mine',
    kind: 'compatible',
    baseURL: 'https://llm.example/v1',
    apiKey: 'none',
    defaultModel: 'x',
  });
  const moved = query({
    provider: 'openai',
    providers: { openai: providers.mine },
    env,
    model: 'x',
  });
  expect((await chooseProvider(moved)).provider).toMatchObject({ apiKey: 'none' });
  expect((await chooseProvider(query({ provider: 'offline', env }))).provider).toBe('offline');
});

test('an offline model goes to the process itself, unless a base URL is configured', async () => {
  const model = 'aiq-offline';
  const inProcess = [
    { model },
    { model, env: { OPENAI_API_KEY: 'sk-1' } },
    { model, provider: 'openai', env: { OPENAI_API_KEY: 'sk-1' } },
    { model, provider: 'local' },
    { model, env: { NODE_ENV: 'production' } },
  ];
  for (const changes of inProcess) {
    expect(await chooseProvider(query(changes))).toMatchObject({ provider: 'offline', model });
  }
  const elsewhere = [
    { model, env: { OPENAI_BASE_URL: settings.baseURL } },
    { model, provider: 'mine', providers: { mine: settings } },
  ];
  for (const changes of elsewhere) {
    expect(await chooseProvider(query(changes))).toMatchObject({
      provider: { baseURL: 'https://llm.example/v1', defaultModel: model },
    });
  }
});

test('where extracts would pass for answers they must be asked for by name', async () => {
  const guarded: Partial<ProviderQuery>[] = [
    { env: { NODE_ENV: 'production' } },
    { env: { AIQ_OFFLINE: '0' } },
    { allowOffline: false },
  ];
  for (const changes of guarded) {
    expect(await codeOf(changes)).toBe('no_credentials');
    expect(await codeOf({ ...changes, provider: 'offline' })).toBe('none');
  }
});

function at(baseURL: string | null): Partial<ProviderQuery> {
  return { provider: 'mine', providers: { mine: { ...settings, baseURL } } };
}

test('each setting that cannot work has its own code', async () => {
  expect(await codeOf({ provider: 'openai' })).toBe('no_credentials');
  expect(await codeOf({ provider: 'nobody' })).toBe('unknown_provider');
  expect(await codeOf({ provider: 'toString' })).toBe('unknown_provider');
  expect(await codeOf({ provider: 'local' })).toBe('no_local_server');
  expect(await codeOf({ provider: 'offline', model: 'aiq-offline?latency=3ms' })).toBe('bad_model');
  expect(await codeOf({ model: 'aiq-offline-2' })).toBe('bad_model');
  expect(await codeOf(at(null))).toBe('bad_base_url');
  expect(await codeOf(at('llm.example'))).toBe('bad_base_url');
  expect(await codeOf(at('ftp://llm.example/v1'))).toBe('bad_base_url');
  expect(await codeOf(at('https://user:pass@llm.example/v1'))).toBe('bad_base_url');
  expect(await codeOf(at('https://llm.example/v1?key=1'))).toBe('bad_base_url');
});

test('an offline provider runs no other model; any other runs what the agent names', () => {
  const provider: Provider = {
    name: 'p',
    kind: 'offline',
    baseURL: '',
    apiKey: '',
    defaultModel: 'aiq-offline',
  };
  expect(modelFor(provider, 'gpt-5')).toBe('aiq-offline');
  expect(modelFor({ ...provider, kind: 'openai' }, 'gpt-5')).toBe('gpt-5');
  expect(modelFor(provider, null)).toBe('aiq-offline');
});

test('a key that is configured but not set is refused by the name of its variable', async () => {
  const f = { baseURL: 'https://llm.example/v1', apiKey: null, model: 'm' };
  const refused = (provider: string, env: ProviderQuery['env'] = {}) =>
    chooseProvider(
      query({ provider, providers: { [provider]: { ...f, apiKeyMissing: 'K' } }, env }),
    );
  for (const name of ['f', 'openai', 'local']) {
    await expect(refused(name, { OPENAI_API_KEY: 'sk-1' })).rejects.toMatchObject({
      code: 'no_credentials',
      message: expect.stringContaining('K is not set'),
    });
  }
  const open = await chooseProvider(query({ provider: 'f', providers: { f } }));
  expect(open).toMatchObject({ provider: { kind: 'compatible' }, model: 'm' });
});

test.each<[string, Partial<ProviderQuery>, unknown]>([
  ['the key of the environment', { env: { OPENAI_API_KEY: 'k' } }, ['OPENAI_API_KEY']],
  [
    'what the openai package sends by itself',
    { env: { OPENAI_BASE_URL: 'http://a/v1', OPENAI_ORG_ID: 'o', OPENAI_CUSTOM_HEADERS: 'x: y' } },
    ['OPENAI_ORG_ID', 'OPENAI_CUSTOM_HEADERS'],
  ],
  [
    'what the settings of a provider name',
    { provider: 'mine', providers: { mine: { ...settings, variables: ['A', 'B'] } } },
    ['A', 'B'],
  ],
  [
    'what settings of the name auto name, though the address is called openai then',
    {
      env: { OPENAI_API_KEY: 'k' },
      providers: {
        auto: { ...settings, variables: ['A'] },
        openai: { ...settings, variables: ['B'] },
      },
    },
    ['B', 'A'],
  ],
])('before anything is sent, %s must be allowed', async (_, changes, variables) => {
  asked.length = 0;
  const uses: unknown[] = [];
  const refused = new Error('not allowed');
  const allow: ProviderQuery['allow'] = (use) => {
    uses.push(use.variables);
    return Promise.reject(refused);
  };
  await expect(chooseProvider(query({ ...changes, allow }))).rejects.toBe(refused);
  expect(uses).toEqual([variables]);
  expect(asked).toEqual([]);
});

test('a local server that was only found must be allowed; one that was asked for by name need not', async () => {
  const fetch = models({ [localURL]: ['llama'] });
  const found: boolean[] = [];
  const allow: ProviderQuery['allow'] = ({ isFound }) => {
    found.push(isFound);
    return Promise.resolve();
  };
  await chooseProvider(query({ fetch, allow }));
  await chooseProvider(query({ provider: 'local', fetch, allow }));
  expect(found).toEqual([true, false]);
});

test('there is one offline model, and an id that only looks like it is refused', () => {
  expect(checkOfflineModel('aiq-offline')).toBeNull();
  expect(checkOfflineModel('gpt-5')).toBeNull();
  for (const id of ['aiq-offline-2', 'aiq-offline?latency=3ms']) {
    expect(checkOfflineModel(id)).toBe(`there is no model "${id}"; there is aiq-offline.`);
  }
});
