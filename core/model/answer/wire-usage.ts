/** Reads what a server says that a call used. Nothing of it is certain, so nothing is taken unchecked. */

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
  const said = fieldsOf(wire);
  const input = countOf(said['prompt_tokens'], said['input_tokens']);
  const output = countOf(said['completion_tokens'], said['output_tokens']);
  const cached = countOf(
    fieldsOf(said['prompt_tokens_details'] ?? said['input_tokens_details'])['cached_tokens'],
    said['prompt_cache_hit_tokens'],
    said['cached_tokens'],
  );
  const reasoning = countOf(
    fieldsOf(said['completion_tokens_details'] ?? said['output_tokens_details'])[
      'reasoning_tokens'
    ],
    said['reasoning_tokens'],
  );
  const inputTokens = input ?? estimatedTokens(bytes.input);
  const written = output ?? estimatedTokens(bytes.output);
  const reasoningTokens = reasoning ?? 0;
  // Most count reasoning as output; where it stands beside it, only the total shows that.
  const isBeside =
    reasoningTokens > written ||
    (reasoningTokens > 0 && said['total_tokens'] === inputTokens + written + reasoningTokens);
  return {
    inputTokens,
    outputTokens: isBeside ? written + reasoningTokens : written,
    ...(cached ? { cachedInputTokens: Math.min(cached, inputTokens) } : {}),
    ...(reasoning ? { reasoningTokens: reasoning } : {}),
    // The offline endpoint says so itself.
    estimated: input === null || output === null || said['estimated'] === true,
  };
}
