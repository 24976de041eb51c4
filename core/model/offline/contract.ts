/** What the offline endpoint shows to others, light to load: its model, its address, its label. */

import type { Provider } from '../model.ts';

/** The id of the only model there. */
export const offlineModel = 'aiq-offline';

/** Says what an answer is, for places that have their own marks for a comment. */
export const offlineNotice = 'made by aiq-offline: extracted, not written by a model';

/** Ends every text answer, so that no extract passes for a model's words. */
export const offlineLabel = `<!-- ${offlineNotice} -->`;

export interface OfflineEndpoint {
  readonly baseURL: string;
  readonly apiKey: string;
  readonly provider: Provider;
  /** Ends running calls and frees the port. */
  close(): Promise<void>;
}

/** The parts of an endpoint that can be told to another thread or process. */
export function offlineAddress(
  baseURL: string,
  apiKey: string,
): Pick<OfflineEndpoint, 'baseURL' | 'apiKey' | 'provider'> {
  const provider: Provider = {
    name: 'offline',
    kind: 'offline',
    baseURL,
    apiKey,
    defaultModel: offlineModel,
  };
  return { baseURL, apiKey, provider };
}

/** What is wrong with an id that looks like the offline model's; null for it and for all others. */
export function checkOfflineModel(id: string): string | null {
  if (!id.startsWith(offlineModel) || id === offlineModel) return null;
  return `there is no model "${id}"; there is ${offlineModel}.`;
}
