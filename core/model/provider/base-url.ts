/** Checks the base URL of a provider and formats it for messages. */

import { isIPv4 } from 'node:net';
import { printable } from '../failures/redact.ts';
import type { Provider } from '../model.ts';
import { ProviderError } from './provider-error.ts';

/** The address as it may be printed: whole, for its path is what is mostly wrong, but no secret in it. */
export function shownBaseURL({ baseURL, apiKey }: Pick<Provider, 'baseURL' | 'apiKey'>): string {
  if (!URL.canParse(baseURL)) return 'no valid address';
  const { origin, pathname } = new URL(baseURL);
  return printable(`${origin}${pathname}`.replace(/\/+$/, ''), [apiKey]);
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
    `provider ${name}: the base URL ${problem}. It has the form https://host/v1.`,
  );
}

/** Says what is wrong without repeating the address, which may hold a secret. */
function problemOf(baseURL: string): string | null {
  if (!URL.canParse(baseURL)) return 'is no address';
  const url = new URL(baseURL);
  if (!/^https?:$/.test(url.protocol)) return 'must begin with http:// or https://';
  if (url.username !== '' || url.password !== '') return 'holds credentials; they go into apiKey';
  return url.search === '' && url.hash === ''
    ? null
    : 'may have no ? or # part; parameters go into query';
}

/** Whether the address is one of this machine, without asking any name server. */
export function isOnThisMachine(baseURL: string): boolean {
  const host = URL.canParse(baseURL) ? new URL(baseURL).hostname : '';
  return host === 'localhost' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
}

export function isOpenAiHost(baseURL: string): boolean {
  const host = URL.canParse(baseURL) ? new URL(baseURL).hostname : '';
  return host === 'api.openai.com' || host.endsWith('.api.openai.com');
}
