/** The headers and secrets of a provider. */

import type { Provider } from '../model.ts';

/** For servers that want no key: clients must send something. */
export const noKey = 'none';

/** Headers that every request to the provider carries; null keeps one from being sent. */
export function authorization({ apiKey, headers }: Pick<Provider, 'apiKey' | 'headers'>): {
  readonly [name: string]: string | null;
} {
  // A provider with headers and no key has the key in one of them.
  const isKeyless = headers !== undefined && apiKey === noKey;
  return { authorization: isKeyless ? null : `Bearer ${apiKey}`, ...headers };
}

/** Secrets, which no message may contain. */
export function secretsOf({
  apiKey,
  headers = {},
}: Pick<Provider, 'apiKey' | 'headers'>): readonly string[] {
  return [apiKey, ...Object.values(headers)];
}
