/** The rates that an agent's calls ask for before they are sent. */

import { createHash } from 'node:crypto';
import type { RateTerms } from '../../job-queue/index.ts';
import { isOnThisMachine } from '../../model/index.ts';
import type { ThreadAgent } from '../pool/thread-messages.ts';

const noLimits = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null };

/**
 * Null where nothing limits its calls: at a server on this machine for which, and for the agent, nothing is
 * configured. Such calls ask for nothing.
 */
export function rateTermsOf({
  agent: { limits },
  provider,
}: Pick<ThreadAgent, 'agent' | 'provider'>): RateTerms | null {
  const { requestsPerMinute, tokensPerMinute, concurrency } = limits;
  const agentLimits = { requestsPerMinute, tokensPerMinute, concurrency };
  const providerLimits = provider.limits ?? noLimits;
  const isLocal = isOnThisMachine(provider.baseURL);
  const isLimited = [agentLimits, providerLimits].some((one) =>
    Object.values(one).some((limit) => limit !== null),
  );
  if (isLocal && !isLimited) return null;
  return { provider: keyOf(provider), isLocal, agentLimits, providerLimits };
}

/** The same for all names and consumers of one address and key, and no secret. */
function keyOf({ baseURL, apiKey, headers = {} }: ThreadAgent['provider']): string {
  const of = JSON.stringify([baseURL, apiKey, headers]);
  return createHash('sha256').update(of).digest('hex').slice(0, 32);
}
