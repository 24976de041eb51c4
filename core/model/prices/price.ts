/** What a call costs. */

import type { TokenUsage } from '../model.ts';

/** For a million tokens each, in units of the currency, as providers publish them. */
export interface Rates {
  readonly input: number;
  readonly output: number;
  /** Tokens read from the provider's cache; default as `input`. */
  readonly cachedInput?: number;
  /** Tokens written to the provider's cache; default as `input`. */
  readonly cacheWrite?: number;
  /** Tokens of reasoning; default as `output`. */
  readonly reasoning?: number;
}

/** Rates of all tokens of a call whose input is larger. */
export interface Tier extends Rates {
  /** Input tokens. */
  readonly above: number;
}

export interface Price extends Rates {
  /** By rising size; of those that a call is above, the last one holds. */
  readonly tiers?: readonly Tier[];
}

/** By model id. */
export interface Prices {
  readonly [model: string]: Price;
}

/**
 * The price of a model; null when there is none. A price for `gpt-5-mini` also holds for its dated
 * snapshots (`gpt-5-mini-2025-08-07`).
 */
export function priceOf(prices: Prices, model: string): Price | null {
  const id = modelId(model);
  const base = id.replace(/-\d{4}-?\d{2}-?\d{2}$/, '');
  const name = [id, base].find((candidate) => Object.hasOwn(prices, candidate));
  return name === undefined ? null : (prices[name] ?? null);
}

/** Without what some servers take behind the id. */
export function modelId(model: string): string {
  return model.replace(/\?.*$/, '');
}

/** Millionths of the currency unit, rounded up. */
export function costMicros(price: Price, usage: TokenUsage): number {
  const { inputTokens, outputTokens } = usage;
  const { cachedInputTokens = 0, cacheWriteTokens = 0, reasoningTokens = 0 } = usage;
  const rates = ratesFor(price, inputTokens);
  const { input, output, cachedInput = input, cacheWrite = input, reasoning = output } = rates;
  const micros =
    input * (inputTokens - cachedInputTokens - cacheWriteTokens) +
    cachedInput * cachedInputTokens +
    cacheWrite * cacheWriteTokens +
    output * (outputTokens - reasoningTokens) +
    reasoning * reasoningTokens;
  // Sums of binary fractions stray: 0.25 million tokens at 0.1 are not 25,000.000000000004.
  return Math.ceil(micros - 1e-6);
}

function ratesFor(price: Price, inputTokens: number): Rates {
  return price.tiers?.findLast(({ above }) => inputTokens > above) ?? price;
}
