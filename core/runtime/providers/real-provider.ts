/** Who would do an agent's jobs now, when that is more than the offline endpoint. */

import { chooseProvider, modelFor, ProviderError, type ProviderQuery } from '../../model/index.ts';
import type { Trust } from '../../trust/index.ts';
import { allowedBy } from './providers.ts';

export interface RealProvider {
  readonly name: string;
  readonly model: string;
}

export interface Asked extends Omit<ProviderQuery, 'allow'> {
  readonly trust: Pick<Trust, 'allow'>;
}

/**
 * Chosen as a consumer would choose it; null where that would be the offline endpoint, or cannot be
 * used as it is configured.
 * @param own what the agent names itself
 * @throws TrustError
 */
export async function realProvider(
  { provider, providers, model, env, trust }: Asked,
  own: { readonly id: string | null; readonly provider: string | null },
): Promise<RealProvider | null> {
  try {
    const choice = await chooseProvider({
      provider: own.provider ?? provider,
      providers,
      model: own.provider === null ? model : null,
      env,
      allow: allowedBy(trust),
    });
    if (choice.provider === 'offline') return null;
    const { name } = choice.provider;
    return { name, model: modelFor(choice.provider, own.id ?? model) };
  } catch (error) {
    if (error instanceof ProviderError) return null;
    throw error;
  }
}
