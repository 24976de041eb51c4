/** What is said and checked about the address of a provider. */

import { ProviderError } from './provider-error.ts';

/** Scheme, host and port: never a path with a token in it, never credentials. */
export function originOf(baseURL: string): string {
  return URL.canParse(baseURL) ? new URL(baseURL).origin : 'no valid address';
}

/**
 * The address without slashes at its end.
 * @throws ProviderError `bad_base_url`
 */
export function checkedBaseURL(name: string, baseURL: string): string {
  const problem = problemOf(baseURL);
  if (problem === null) return baseURL.replace(/\/+$/, '');
  throw new ProviderError(
    'bad_base_url',
    `provider ${name}: the base URL ${problem}. It looks like https://host/v1.`,
  );
}

/** Says what is wrong without repeating the address, which may hold a secret. */
function problemOf(baseURL: string): string | null {
  if (!URL.canParse(baseURL)) return 'is no address';
  const url = new URL(baseURL);
  if (!/^https?:$/.test(url.protocol)) return 'must begin with http:// or https://';
  if (url.username !== '' || url.password !== '') return 'holds credentials; they go into apiKey';
  return url.search === '' && url.hash === '' ? null : 'may have no ? or # part';
}

export function isOpenAiHost(baseURL: string): boolean {
  const host = URL.canParse(baseURL) ? new URL(baseURL).hostname : '';
  return host === 'api.openai.com' || host.endsWith('.api.openai.com');
}
