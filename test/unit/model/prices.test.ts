/** What calls cost: rates, tiers, the configuration's own prices and those that providers publish. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { costMicros, openPriceList } from '../../../core/model/index.ts';
import { catalogueRelease, openCatalogue } from '../../../core/model/prices/catalogue.ts';
import { priceOf } from '../../../core/model/prices/price.ts';
import { root } from '../../tidy/rules/repository.ts';

const atMs = Date.parse('2026-10-01T00:00:00Z');
const openAi = 'https://api.openai.com/v1';
const at = (baseURL: string, kind = 'compatible') => ({ kind, baseURL });

test('a price for a million tokens gives millionths, also for dated snapshots', () => {
  const prices = {
    'gpt-5-mini': { input: 0.25, output: 2 },
    'o-2024-01-01': { input: 1, output: 1 },
  };
  const usage = { inputTokens: 1001, outputTokens: 10, estimated: false };
  const cost = (model: string) => {
    const price = priceOf(prices, model);
    return price === null ? null : costMicros(price, usage);
  };
  expect(cost('gpt-5-mini')).toBe(271);
  expect(cost('gpt-5-mini-2025-08-07')).toBe(271);
  expect(cost('o-2024-01-01')).toBe(1011);
  // Nobody knows what a model without a price costs.
  expect(cost('gpt-5')).toBeNull();
  expect(cost('toString')).toBeNull();
});

test('cached input, writes to the cache and reasoning have rates of their own, else those of the whole', () => {
  const usage = {
    inputTokens: 1000,
    cachedInputTokens: 700,
    cacheWriteTokens: 100,
    outputTokens: 100,
    reasoningTokens: 60,
    estimated: false,
  };
  const plain = { input: 1, output: 10 };
  expect(costMicros(plain, usage)).toBe(2000);
  expect(costMicros({ ...plain, cachedInput: 0.1 }, usage)).toBe(1370);
  expect(costMicros({ ...plain, cachedInput: 0.1, cacheWrite: 2 }, usage)).toBe(1470);
  expect(costMicros({ ...plain, cachedInput: 0.1, reasoning: 20 }, usage)).toBe(1970);
});

test('a tier holds for all tokens of a call whose input is above it', () => {
  const price = {
    input: 1,
    output: 10,
    tiers: [
      { above: 1000, input: 2, output: 20 },
      { above: 5000, input: 3, output: 30, cachedInput: 1 },
    ],
  };
  const cost = (inputTokens: number, cachedInputTokens = 0) =>
    costMicros(price, { inputTokens, cachedInputTokens, outputTokens: 10, estimated: false });
  expect([cost(1000), cost(1001), cost(5000)]).toEqual([1100, 2202, 10_200]);
  expect([cost(5001), cost(6000, 1000)]).toEqual([15_303, 16_300]);
});

test('the catalogue is the release that its date is of', () => {
  const file = join(root, 'node_modules/@pydantic/genai-prices/package.json');
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  expect(catalogueRelease.version).toBe(version);
});

test('published prices are found by address, with their tiers, at their time', async () => {
  const catalogue = await openCatalogue();
  expect(catalogue.find(openAi, 'gpt-5-mini-2025-08-07', atMs)).toEqual({
    provider: 'OpenAI',
    price: { input: 0.25, cachedInput: 0.025, output: 2 },
    contextTokens: 400_000,
  });
  const google = 'https://generativelanguage.googleapis.com/v1beta/openai';
  expect(catalogue.find(google, 'gemini-2.5-pro', atMs)?.price).toEqual({
    input: 1.25,
    cachedInput: 0.125,
    output: 10,
    tiers: [{ above: 200_000, input: 2.5, cachedInput: 0.25, output: 15 }],
  });
  expect(catalogue.find(openAi, 'never-heard-of', atMs)).toBeNull();
  // A model of that name on a server of one's own costs what it costs there.
  expect(catalogue.find('https://llm.example.com/v1', 'gpt-5-mini', atMs)).toBeNull();
  expect(catalogue.find('http://127.0.0.1:11434/v1', 'gpt-5-mini', atMs)).toBeNull();
});

test('own prices win over published ones, and extracts cost nothing', async () => {
  const own = { 'gpt-5-mini': { input: 7, output: 7 } };
  const models = [
    { model: 'gpt-5-mini', provider: at(openAi) },
    { model: 'gpt-5', provider: at(openAi) },
    { model: 'gpt-5', provider: at('https://llm.example.com/v1') },
    { model: 'aiq-offline', provider: at('http://127.0.0.1:1/v1', 'offline') },
  ];
  const list = await openPriceList(own, models);
  expect(models.map((one) => list.find(one)?.price.input ?? null)).toEqual([7, 1.25, null, 0]);
  expect(models.map((one) => list.find(one)?.contextTokens)).toEqual([
    null,
    400_000,
    undefined,
    null,
  ]);
  const limited = { ...at(openAi), contextTokens: { 'gpt-5': 9, 'gpt-5-mini': 8 } };
  const named = models.slice(0, 2).map(({ model }) => list.find({ model, provider: limited }));
  expect(named.map((one) => one?.contextTokens)).toEqual([8, 9]);
  expect(list.find(models[1]!)?.from).toEqual({
    source: 'catalogue',
    provider: 'OpenAI',
    date: catalogueRelease.date,
  });
});
