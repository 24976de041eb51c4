/** Detects a server that read only a part of the prompt, by the fewest tokens that the prompt can have. */

import { type Message, type ModelAnswer, ModelError } from './model.ts';

/** Below it nothing is compared: no server has so small a window. */
const tokensMin = 1_024;
/** Some tokenizers take long words, runs of one letter or of signs as a single token. */
const charsPerToken = 16;

/**
 * A number that the tokens of the texts never go under: one for each word, number and run of signs,
 * more for very long ones. White space counts nothing.
 */
function tokensAtLeast(messages: readonly Message[]): number {
  let tokens = 0;
  for (const { content } of messages) {
    for (const [word] of content.matchAll(/[\p{L}\p{M}]+|\p{N}+|[^\s\p{L}\p{M}\p{N}]+/gu)) {
      tokens += Math.ceil(word.length / charsPerToken);
    }
  }
  return tokens;
}

/**
 * The error for an answer to a truncated prompt: the server counted less than half of the tokens that
 * the prompt must have, as Ollama does at its default context. Null when it counted enough, or nothing. Only for the first call of a prompt: some servers leave out
 * what they have cached.
 */
export function promptTruncated(
  messages: readonly Message[],
  { usage, model }: ModelAnswer,
): ModelError | null {
  const { inputTokens, estimated, cachedInputTokens = 0 } = usage;
  const read = inputTokens + cachedInputTokens;
  const needed = estimated ? 0 : tokensAtLeast(messages);
  if (needed < tokensMin || read >= needed / 2) return null;
  return new ModelError(
    'permanent',
    'prompt_truncated',
    `The server read ${read} tokens of a prompt that has at least ${needed}: it cut it, and the answer is to ` +
      `a part. Give model ${model} a larger context on the server (Ollama: OLLAMA_CONTEXT_LENGTH or ` +
      'num_ctx), shorten the input, or set the limit with `contextTokens` under `providers`.',
  );
}
