/** Which calls ask for rates: none at a server on this machine for which nothing is configured. */

import { describe, expect, it } from 'vitest';
import { rateTermsOf } from '../../../../core/runtime/agents/rates.ts';
import { agentOf } from '../../../support/runtime-fakes.ts';

const none = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null };
const remote = {
  name: 'r',
  kind: 'compatible',
  baseURL: 'https://models.example.com/v1',
  apiKey: 'secret',
  defaultModel: 'm',
} as const;
const at = (baseURL: string) => ({ ...remote, baseURL });

describe('the rates of calls', () => {
  it.each([
    'http://127.0.0.1:11434/v1',
    'http://127.9.9.9/v1',
    'http://localhost:8000/v1',
    'http://[::1]:8000/v1',
  ])('are none at %s, as long as nothing is configured', (baseURL) => {
    const provider = at(baseURL);
    expect(rateTermsOf({ agent: agentOf(), provider })).toBeNull();
    const limited = agentOf({ limits: { tokensPerMinute: 5 } });
    expect(rateTermsOf({ agent: limited, provider })).toMatchObject({
      isLocal: true,
      agentLimits: { ...none, tokensPerMinute: 5 },
      providerLimits: none,
    });
    const limits = { ...none, concurrency: 3 };
    const terms = rateTermsOf({ agent: agentOf(), provider: { ...provider, limits } });
    expect(terms).toMatchObject({ isLocal: true, agentLimits: none, providerLimits: limits });
  });

  it.each(['https://models.example.com/v1', 'http://127.0.0.1.example.com/v1'])(
    'are asked for at %s always, for its ceiling is learned',
    (baseURL) => {
      const terms = rateTermsOf({ agent: agentOf(), provider: at(baseURL) });
      expect(terms).toMatchObject({ isLocal: false, agentLimits: none, providerLimits: none });
    },
  );

  it('are those of address and key, by whatever name, and name neither', () => {
    const agent = agentOf();
    const key = (provider: Parameters<typeof rateTermsOf>[0]['provider']) =>
      rateTermsOf({ agent, provider })?.provider;
    expect(key({ ...remote, name: 'other' })).toBe(key(remote));
    expect(key({ ...remote, apiKey: 'other' })).not.toBe(key(remote));
    expect(key(at('https://other.example.com/v1'))).not.toBe(key(remote));
    expect(key(remote)).toMatch(/^[0-9a-f]{32}$/);
  });
});
