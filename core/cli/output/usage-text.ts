/** Formats calls, tokens and cost. */

import { formatMicros } from '../../base/index.ts';
import type { UsageDescription } from '../../job-queue/index.ts';

export interface ShownUsage extends UsageDescription {
  readonly cachedInputTokens?: number | undefined;
  readonly reasoningTokens?: number | undefined;
}

/**
 * `3 calls, 1,200 tokens in (800 cached), 300 out (120 reasoning), cost 0.0021`; empty when nothing
 * was called. The cost is in the currency of the prices, and unknown without a price.
 */
export function usageText(usage: ShownUsage): string {
  const { calls, inputTokens, outputTokens, estimated } = usage;
  if (calls === 0) return '';
  const parts = [
    calls === 1 ? '1 call' : `${counted(calls)} calls`,
    `${counted(inputTokens)} tokens in${partOf(usage.cachedInputTokens, 'cached')}`,
    `${counted(outputTokens)} out${partOf(usage.reasoningTokens, 'reasoning')}`,
    costText(usage.costMicros),
  ];
  return `${parts.join(', ')}${estimated ? ' (partly estimated)' : ''}`;
}

function partOf(tokens: number | undefined, what: string): string {
  return tokens === undefined || tokens === 0 ? '' : ` (${counted(tokens)} ${what})`;
}

function costText(costMicros: number | null): string {
  if (costMicros === null) return 'cost unknown (a model has no price: see aiq prices)';
  return `cost ${formatMicros(costMicros, 2)}`;
}

function counted(count: number): string {
  return count.toLocaleString('en-US');
}
