/** The cost of a call. */

import type { TokenUsage } from './model.ts';

/** Per model id, in currency units for a million tokens, as providers publish them. */
export interface Prices {
  readonly [model: string]: {
    readonly input: number;
    readonly output: number;
    /** Tokens read from the provider's cache; default as `input`. */
    readonly cachedInput?: number;
    /** Tokens of reasoning; default as `output`. */
    readonly reasoning?: number;
  };
}

/**
 * Millionths of the currency unit, rounded up; null for a model without a price, whose cost is
 * unknown. A price for `gpt-5-mini` also holds for its dated snapshots (`gpt-5-mini-2025-08-07`).
 */
export function costMicros(prices: Prices, model: string, usage: TokenUsage): number | null {
  const id = model.replace(/\?.*$/, '');
  const base = id.replace(/-\d{4}-?\d{2}-?\d{2}$/, '');
  const name = [id, base].find((candidate) => Object.hasOwn(prices, candidate));
  const price = name === undefined ? undefined : prices[name];
  if (price === undefined) return null;
  const { input, output, cachedInput = input, reasoning = output } = price;
  const { inputTokens, outputTokens, cachedInputTokens = 0, reasoningTokens = 0 } = usage;
  const micros =
    input * (inputTokens - cachedInputTokens) +
    cachedInput * cachedInputTokens +
    output * (outputTokens - reasoningTokens) +
    reasoning * reasoningTokens;
  // Sums of binary fractions stray: 0.25 million tokens at 0.1 are not 25,000.000000000004.
  return Math.ceil(micros - 1e-6);
}
