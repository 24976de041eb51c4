/** Reads the token usage that a server reports; every number is checked. */

import type { TokenUsage } from '../model.ts';

/** More than any model reads: a number above it is a mistake. */
const tokensMax = 2 ** 30;

/** Four bytes a token: what is charged when a server sends no usage. */
export function estimatedTokens(bytes: number): number {
  return Math.ceil(bytes / 4);
}

type Fields = { readonly [name: string]: unknown };

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function countOf(...values: readonly unknown[]): number | null {
  const found = values.find((value) => value !== undefined && value !== null);
  return Number.isInteger(found) && Number(found) >= 0 && Number(found) <= tokensMax
    ? Number(found)
    : null;
}

/** `wire` is a server's `usage`, or anything; the bytes are what an estimate rests on. */
export function usageFrom(
  wire: unknown,
  bytes: { readonly input: number; readonly output: number },
): TokenUsage {
  const reported = fieldsOf(wire);
  const input = countOf(reported['prompt_tokens'], reported['input_tokens']);
  const output = countOf(reported['completion_tokens'], reported['output_tokens']);
  const reasoning = countOf(
    fieldsOf(reported['completion_tokens_details'] ?? reported['output_tokens_details'])[
      'reasoning_tokens'
    ],
    reported['reasoning_tokens'],
  );
  const inputTokens = input ?? estimatedTokens(bytes.input);
  const written = output ?? estimatedTokens(bytes.output);
  const reasoningTokens = reasoning ?? 0;
  // Most servers count reasoning as output; where it is separate, only the total shows that.
  const isBeside =
    reasoningTokens > written ||
    (reasoningTokens > 0 && reported['total_tokens'] === inputTokens + written + reasoningTokens);
  return {
    inputTokens,
    outputTokens: isBeside ? written + reasoningTokens : written,
    ...cacheParts(reported, inputTokens),
    ...(reasoning ? { reasoningTokens: reasoning } : {}),
    // The offline endpoint marks its usage as estimated.
    estimated: input === null || output === null || reported['estimated'] === true,
  };
}

/** What of the input came from the provider's cache, and what went into it; absent where there is none. */
function cacheParts(
  reported: Fields,
  inputTokens: number,
): Pick<TokenUsage, 'cachedInputTokens' | 'cacheWriteTokens'> {
  const details = fieldsOf(reported['prompt_tokens_details'] ?? reported['input_tokens_details']);
  const read = countOf(
    details['cached_tokens'],
    reported['prompt_cache_hit_tokens'],
    reported['cached_tokens'],
  );
  const written = countOf(details['cache_write_tokens'], reported['cache_creation_input_tokens']);
  const cachedInputTokens = Math.min(read ?? 0, inputTokens);
  const cacheWriteTokens = Math.min(written ?? 0, inputTokens - cachedInputTokens);
  return {
    ...(cachedInputTokens > 0 ? { cachedInputTokens } : {}),
    ...(cacheWriteTokens > 0 ? { cacheWriteTokens } : {}),
  };
}
