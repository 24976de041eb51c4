/**
 * Prices that providers publish, from the package @pydantic/genai-prices: in dollars, as of its release.
 * A provider is known by its address, so a server of one's own has no price that it does not ask for.
 */

import { modelId, type Price, type Rates } from './price.ts';

/** Of the release that is installed; a test compares. */
export const catalogueRelease = { version: '0.1.8', date: '2026-09-23' } as const;

/** A price of the catalogue, and who asks it. */
export interface ListedPrice {
  readonly price: Price;
  readonly provider: string;
  /** Tokens that prompt and answer have room for; null where that is not published. */
  readonly contextTokens: number | null;
}

export interface Catalogue {
  /** What the model costs at the address at that time; null when that is not known. */
  find(baseURL: string, model: string, atMs: number): ListedPrice | null;
}

/** Loads the package, which takes some 70 ms. */
export async function openCatalogue(): Promise<Catalogue> {
  const { calcPrice, findProvider } = await import('@pydantic/genai-prices');
  return {
    find(baseURL, model, atMs) {
      const provider = findProvider({ providerApiUrl: baseURL });
      if (provider === undefined) return null;
      const found = calcPrice(noTokens, modelId(model), { provider, timestamp: new Date(atMs) });
      const price = found === null ? null : priceFrom(found.model_price);
      if (found === null || price === null) return null;
      const contextTokens = found.model.context_window ?? null;
      return { price, provider: provider.name, contextTokens };
    },
  };
}

const noTokens = { input_tokens: 0, output_tokens: 0 };

/** Names in the catalogue, for a million tokens. */
const rateNames = {
  input: 'input_mtok',
  output: 'output_mtok',
  cachedInput: 'cache_read_mtok',
  cacheWrite: 'cache_write_mtok',
  reasoning: 'output_reasoning_mtok',
} as const;

type Rate = number | { readonly base: number; readonly tiers: readonly RateTier[] };
interface RateTier {
  readonly start: number;
  readonly price: number;
}

/** Null for what is not paid by tokens, such as images. */
function priceFrom(listed: Readonly<Record<string, Rate | undefined>>): Price | null {
  const rates = Object.values(rateNames).flatMap((name) => listed[name] ?? []);
  const starts = rates.flatMap((rate) => (typeof rate === 'number' ? [] : rate.tiers));
  const sizes = [...new Set(starts.map(({ start }) => start))].sort((one, other) => one - other);
  const base = ratesAt(listed, 0);
  if (base === null) return null;
  const tiers = sizes.flatMap((above) => {
    const found = ratesAt(listed, above + 1);
    return found === null ? [] : [{ above, ...found }];
  });
  return tiers.length === 0 ? base : { ...base, tiers };
}

/** The rates of a call with so many input tokens. */
function ratesAt(
  listed: Readonly<Record<string, Rate | undefined>>,
  inputTokens: number,
): Rates | null {
  const found = Object.entries(rateNames).flatMap(([name, listedName]) => {
    const rate = listed[listedName];
    return rate === undefined ? [] : [[name, amountAt(rate, inputTokens)] as const];
  });
  const { input, output, ...rest } = Object.fromEntries(found) as Partial<Rates>;
  return input === undefined || output === undefined ? null : { input, output, ...rest };
}

function amountAt(rate: Rate, inputTokens: number): number {
  if (typeof rate === 'number') return rate;
  const tier = rate.tiers.findLast(({ start }) => inputTokens > start);
  return tier?.price ?? rate.base;
}
