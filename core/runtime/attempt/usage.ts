/** Adding up what calls used and cost. */

import {
  noUsage,
  type Usage,
  type UsageDescription,
  unknownCostMicros,
} from '../../job-queue/index.ts';
import { costMicros, type Price, type TokenUsage } from '../../model/index.ts';

/** What the queue keeps of it, and what only the consumer reports. */
export interface JobUsage extends UsageDescription {
  readonly cachedInputTokens: number;
  readonly reasoningTokens: number;
}

export const noJobUsage: JobUsage = { ...noUsage, cachedInputTokens: 0, reasoningTokens: 0 };

export interface UsageMeter {
  /** Without a price the cost of a call, and with it the total, is unknown. */
  add(price: Price | null, usage: TokenUsage): void;
  readonly total: JobUsage;
}

export function createUsageMeter(): UsageMeter {
  let total = noJobUsage;
  return {
    add(price, { cachedInputTokens = 0, reasoningTokens = 0, ...usage }) {
      const tokens = { ...usage, cachedInputTokens, reasoningTokens };
      const cost = price === null ? null : costMicros(price, tokens);
      total = sumOfUsage(total, { ...tokens, calls: 1, costMicros: cost });
    },
    get total() {
      return total;
    },
  };
}

/** A sum with an unknown cost is unknown. */
export function sumOfUsage(one: JobUsage, other: JobUsage): JobUsage {
  const isKnown = one.costMicros !== null && other.costMicros !== null;
  return {
    calls: one.calls + other.calls,
    inputTokens: one.inputTokens + other.inputTokens,
    outputTokens: one.outputTokens + other.outputTokens,
    cachedInputTokens: one.cachedInputTokens + other.cachedInputTokens,
    reasoningTokens: one.reasoningTokens + other.reasoningTokens,
    costMicros: isKnown ? one.costMicros + other.costMicros : null,
    estimated: one.estimated || other.estimated,
  };
}

/** As the queue takes it. A cost beyond what it can hold is an unknown one. */
export function queueUsage(usage: JobUsage): Usage {
  const { calls, inputTokens, outputTokens, estimated } = usage;
  const cost = Math.min(usage.costMicros ?? unknownCostMicros, unknownCostMicros);
  return { calls, inputTokens, outputTokens, costMicros: cost, estimated };
}
