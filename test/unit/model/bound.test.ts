/** What a request can cost at most: nothing that a provider could bill within it costs more. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  boundMicros,
  costMicros,
  isFree,
  type ModelCall,
  type Price,
  requestBody,
  type TokenUsage,
} from '../../../core/model/index.ts';
import { overheadTokens } from '../../../core/model/prices/bound.ts';

const call = (parts: Partial<ModelCall> = {}): ModelCall => ({
  model: 'm',
  messages: [{ role: 'user', content: 'hello' }],
  options: { maxOutputTokens: 100 },
  timeoutMs: 1,
  idleMs: 1,
  answerBytesMax: 1,
  ...parts,
});
const bound = (price: Price, parts: Partial<ModelCall> = {}, known: number | null = null) =>
  boundMicros(price, requestBody(call(parts)), known);

/** Tokens of the input in a request, each of them one byte. */
const inputTokens = (parts: Partial<ModelCall> = {}): number => {
  const { messages, tools = [] } = call(parts);
  const { request, message, tool } = overheadTokens;
  const bytes = Buffer.byteLength(JSON.stringify(requestBody(call(parts))));
  return bytes + request + message * messages.length + tool * tools.length;
};

const rate = fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 200, noNaN: true }));
const rates = fc.record(
  { input: rate, output: rate, cachedInput: rate, cacheWrite: rate, reasoning: rate },
  { requiredKeys: ['input', 'output'] },
);
const anyPrice: fc.Arbitrary<Price> = fc
  .tuple(rates, fc.array(fc.tuple(fc.integer({ min: 1, max: 5_000 }), rates), { maxLength: 3 }))
  .map(([base, tiers]) => ({
    ...base,
    tiers: tiers
      .map(([above, own]) => ({ above, ...own }))
      .toSorted((one, other) => one.above - other.above),
  }));
const text = fc.string({ unit: 'grapheme', maxLength: 300 });
const tool = fc.record({
  name: fc.constant('find'),
  description: text,
  parameters: fc.constant({ type: 'object', properties: { text: { type: 'string' } } }),
});
const request = fc.record({
  messages: fc.array(fc.record({ role: fc.constant('user' as const), content: text }), {
    minLength: 1,
    maxLength: 5,
  }),
  tools: fc.array(tool, { maxLength: 3 }),
  options: fc
    .tuple(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 4 }))
    .map(([maxOutputTokens, n]) => ({ maxOutputTokens, extra: { n } })),
});
const share = fc.double({ min: 0, max: 1, noNaN: true });

describe('the bound of a request', () => {
  it('is never below what a provider could bill within it', () => {
    fc.assert(
      fc.property(
        anyPrice,
        request,
        fc.array(share, { minLength: 5, maxLength: 5 }),
        (price, parts, shares) => {
          const [input = 0, cached = 0, written = 0, output = 0, reasoned = 0] = shares;
          const { maxOutputTokens, extra } = parts.options;
          const part = (whole: number, by: number): number => Math.floor(whole * by);
          const read = part(inputTokens(parts) * extra.n, input);
          const cachedInputTokens = part(read, cached);
          const outputTokens = part(maxOutputTokens * extra.n, output);
          const usage: TokenUsage = {
            inputTokens: read,
            cachedInputTokens,
            cacheWriteTokens: part(read - cachedInputTokens, written),
            outputTokens,
            reasoningTokens: part(outputTokens, reasoned),
            estimated: false,
          };
          expect(costMicros(price, usage)).toBeLessThanOrEqual(bound(price, parts) ?? -1);
        },
      ),
    );
  });

  it('counts a token for each byte of text, definitions and schema, and what stands around them', () => {
    const tools = [{ name: 't', description: 'd', parameters: {} }];
    const responseSchema = { name: 's', schema: { type: 'object' } };
    const parts = { messages: [{ role: 'user', content: 'ä€😀' }] as const, tools, responseSchema };
    expect(bound({ input: 1, output: 0 }, parts)).toBe(inputTokens(parts));
    expect(inputTokens(parts)).toBeGreaterThan(9 + 16 + 1_024 + 512);
  });

  it('has the answer at its limit, by whichever name, at the dearer of output and reasoning', () => {
    const price = { input: 0, output: 2, reasoning: 3 };
    expect(bound(price)).toBe(300);
    expect(bound(price, { options: { extra: { max_tokens: 7 } } })).toBe(21);
    const both = { maxOutputTokens: 5, extra: { max_tokens: 7, max_completion_tokens: 6 } };
    expect(bound(price, { options: both })).toBe(21);
  });

  it('counts every choice that is asked for', () => {
    const options = { maxOutputTokens: 100, extra: { n: 3 } };
    expect(bound({ input: 0, output: 2 }, { options })).toBe(600);
  });

  it('has the rates of a tier that the input may reach, and of none above', () => {
    const tokens = inputTokens();
    const tiers = (above: number) => [{ above, input: 5, output: 0 }];
    expect(bound({ input: 1, output: 0, tiers: tiers(tokens - 1) })).toBe(5 * tokens);
    expect(bound({ input: 1, output: 0, tiers: tiers(tokens) })).toBe(tokens);
    // A tier may also be the cheaper one.
    expect(bound({ input: 9, output: 0, tiers: tiers(10) })).toBe(9 * tokens);
  });

  it('without a limit of the answer is that of the model, and without that there is none', () => {
    const price = { input: 0, output: 2 };
    expect(bound(price, { options: {} }, 1_000)).toBe(2_000);
    expect(bound(price, { options: {} })).toBeNull();
    expect(bound(price, { options: { extra: { max_tokens: 'many' } } })).toBeNull();
    expect(bound(price, { options: { maxOutputTokens: 5, extra: { n: 0.5 } } })).toBeNull();
    expect(bound(price, { options: { maxOutputTokens: Number.MAX_SAFE_INTEGER } })).toBeNull();
  });
});

it('a price is free when no rate of any tier is above zero', () => {
  expect(isFree({ input: 0, output: 0 })).toBe(true);
  expect(isFree({ input: 0, output: 0, reasoning: 1 })).toBe(false);
  expect(isFree({ input: 0, output: 0, tiers: [{ above: 9, input: 1, output: 0 }] })).toBe(false);
});
