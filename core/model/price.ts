/** What a call cost. */

import type { ModelAnswer } from './model.ts';

/** Per model id, in currency units for a million tokens, as providers publish them. */
export interface Prices {
  readonly [model: string]: { readonly input: number; readonly output: number };
}

/**
 * Millionths of the currency unit, rounded up; 0 for a model without a price. A price for
 * `gpt-5-mini` also holds for its dated snapshots (`gpt-5-mini-2025-08-07`).
 */
export function costMicros(prices: Prices, model: string, usage: ModelAnswer['usage']): number {
  const id = model.replace(/\?.*$/, '');
  const base = id.replace(/-\d{4}-?\d{2}-?\d{2}$/, '');
  const name = [id, base].find((candidate) => Object.hasOwn(prices, candidate));
  const price = name === undefined ? undefined : prices[name];
  if (price === undefined) return 0;
  return Math.ceil(price.input * usage.inputTokens + price.output * usage.outputTokens);
}
