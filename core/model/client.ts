/** The `openai` client of a provider, whose requests all go through the watch of their call. */

import type { OpenAI } from 'openai';
import type { Provider } from './model.ts';
import { authorization } from './provider/authorization.ts';
import type { CallWatch } from './watch.ts';

/** What `fetch` is given for one call: its limits, where other runtimes have an agent. */
interface WatchedRequest extends RequestInit {
  readonly agent?: CallWatch;
}

/** For all calls, because making one takes as long as half a call. */
export function clientFor(provider: Provider, Client: typeof OpenAI): OpenAI {
  return new Client({
    baseURL: provider.baseURL,
    apiKey: provider.apiKey,
    adminAPIKey: null,
    ...(provider.name === 'openai' ? {} : { organization: null, project: null }),
    defaultHeaders: {
      ...(provider.name === 'openai' ? {} : environmentHeaders()),
      ...authorization(provider),
    },
    defaultQuery: provider.query,
    maxRetries: 0,
    logLevel: 'off',
    fetch: fetchWatched,
  });
}

const fetchWatched = async (url: unknown, request: WatchedRequest = {}): Promise<Response> => {
  const { agent, headers, body, signal } = request;
  if (agent === undefined || !signal || !(headers instanceof Headers) || typeof body !== 'string') {
    throw new TypeError('a call has limits, headers and a text');
  }
  return agent.post(String(url), { headers, body, signal });
};

/** The SDK would send the headers of OPENAI_CUSTOM_HEADERS to every server. */
function environmentHeaders(): { readonly [name: string]: null } {
  const lines = (process.env['OPENAI_CUSTOM_HEADERS'] ?? '').split('\n');
  const names = lines.map((line) => line.replace(/:.*$/, '').trim()).filter((name) => name !== '');
  return Object.fromEntries(names.map((name) => [name, null]));
}
