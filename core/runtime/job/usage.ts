/** Adding up what the calls of one attempt used and cost. */

import { costMicros, type ModelAnswer, type Prices } from '../../model/index.ts';
import { noUsage, type Usage } from '../../queue/index.ts';

export interface UsageMeter {
  add(model: string, usage: ModelAnswer['usage']): void;
  readonly total: Usage;
}

export function createUsageMeter(prices: Prices): UsageMeter {
  let total: Usage = noUsage;
  return {
    add(model, usage) {
      total = {
        calls: total.calls + 1,
        inputTokens: total.inputTokens + usage.inputTokens,
        outputTokens: total.outputTokens + usage.outputTokens,
        costMicros: total.costMicros + costMicros(prices, model, usage),
        estimated: total.estimated || usage.estimated,
      };
    },
    get total() {
      return total;
    },
  };
}
