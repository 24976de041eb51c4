/** A free probe of a provider: what its list of models proves about address, key and model. */

import type { ProbeResult } from '../../health/index.ts';
import { listModels } from '../../model/index.ts';
import type { ThreadAgent } from '../pool/thread-messages.ts';

const probeMs = 10_000;

export async function probeProvider({ provider, model }: ThreadAgent): Promise<ProbeResult> {
  const { baseURL, apiKey, name } = provider;
  const list = await listModels(baseURL, { apiKey, timeoutMs: probeMs, fetch });
  if (list.ok) return { found: 'alive', lists: list.models.includes(model) };
  const { status } = list;
  if (status === null || status >= 500) return { found: 'away' };
  if (status === 401) {
    const message = `${name}: the key was refused (HTTP 401) when its models were listed.`;
    return { found: 'refused', message };
  }
  // It answers, and has no such list: only a call can show more.
  return { found: 'alive', lists: null };
}
