/** What a request can cost at most, known before it is sent. */

import { estimatedTokens } from '../answer/wire-usage.ts';
import type { TokenUsage } from '../model.ts';
import type { RequestBody } from '../request.ts';
import { costMicros, type Price, type Rates } from './price.ts';

/**
 * Tokens that a provider may add to what is sent: words of its own before the request (some have several
 * hundred), marks around each message, and what explains a tool to the model.
 */
export const overheadTokens = { request: 1_024, message: 16, tool: 512 } as const;

/** Of an answer that nothing limits. */
const outputTokensGuess = 1_024;

/**
 * Millionths of the currency unit, rounded up; null where nothing limits the answer. A token has at
 * least one byte, so the input has no more tokens than the request has bytes, besides the overhead. All
 * of it counts at the dearest rate that may apply, as often as choices are asked for.
 * @param outputTokensMax what the model can answer at most; null where that is not known
 */
export function boundMicros(
  price: Price,
  body: RequestBody,
  outputTokensMax: number | null,
): number | null {
  const choices = wholeNumber(body.n ?? 1);
  const outputTokens = outputLimit(body) ?? outputTokensMax;
  if (choices === null || outputTokens === null) return null;
  const usage = {
    inputTokens: choices * inputTokensMax(body),
    outputTokens: choices * outputTokens,
    estimated: true,
  };
  const tiers = (price.tiers ?? []).filter(({ above }) => above < usage.inputTokens);
  const bound = Math.max(...[price, ...tiers].map((rates) => costMicros(dearest(rates), usage)));
  return Number.isSafeInteger(bound) ? bound : null;
}

/** What a request is expected to use, where nothing is known of others like it. */
export function expectedTokens(
  body: RequestBody,
): Pick<TokenUsage, 'inputTokens' | 'outputTokens'> {
  const bytes = Buffer.byteLength(JSON.stringify([body.messages, body.tools ?? []]));
  return {
    inputTokens: estimatedTokens(bytes),
    outputTokens: outputLimit(body) ?? outputTokensGuess,
  };
}

/** Whether no call costs anything, whatever it uses. */
export function isFree(price: Price): boolean {
  return [price, ...(price.tiers ?? [])].every((rates) => {
    const { input, output } = dearest(rates);
    return input === 0 && output === 0;
  });
}

function inputTokensMax(body: RequestBody): number {
  const { request, message, tool } = overheadTokens;
  const bytes = Buffer.byteLength(JSON.stringify(body));
  return bytes + request + message * body.messages.length + tool * (body.tools ?? []).length;
}

/** Of two limits a server may go by either. */
function outputLimit({ max_completion_tokens, max_tokens }: RequestBody): number | null {
  const limits = [max_completion_tokens, max_tokens].flatMap((limit) => wholeNumber(limit) ?? []);
  return limits.length === 0 ? null : Math.max(...limits);
}

/** What options say may be anything. */
function wholeNumber(value: unknown): number | null {
  return Number.isSafeInteger(value) && Number(value) >= 1 ? Number(value) : null;
}

function dearest({ input, output, cachedInput, cacheWrite, reasoning }: Rates): Rates {
  return {
    input: Math.max(input, cachedInput ?? input, cacheWrite ?? input),
    output: Math.max(output, reasoning ?? output),
  };
}
