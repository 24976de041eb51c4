/** `aiq prices`: whose word counts, and what to do where nobody's does. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { catalogueRelease } from '../../../core/model/prices/catalogue.ts';
import { Project } from '../../support/project.ts';

let project: Project;

beforeAll(async () => {
  project = await Project.make();
  await project.write(
    'aiq.config.yaml',
    [
      'providers: { google: { baseURL: https://generativelanguage.googleapis.com/v1beta/openai } }',
      'prices: { own-model: { input: 1, output: 8, cacheWrite: 2, tiers: [{ above: 1000, input: 3, output: 9 }] } }',
      '',
    ].join('\n'),
  );
});

afterAll(() => project.remove());

test('own prices and published ones, at every address that is named', async () => {
  const { code, stdout, stderr } = await project.aiq(
    '--json',
    'prices',
    'own-model',
    'gpt-5-mini',
    'gemini-2.5-pro',
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { date } = catalogueRelease;
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object),
  ).toEqual([
    {
      model: 'own-model',
      source: 'configuration',
      input: 1,
      output: 8,
      cacheWrite: 2,
      tiers: [{ above: 1000, input: 3, output: 9 }],
    },
    {
      model: 'gpt-5-mini',
      source: 'catalogue',
      provider: 'OpenAI',
      date,
      input: 0.25,
      cachedInput: 0.025,
      output: 2,
    },
    {
      model: 'gemini-2.5-pro',
      source: 'catalogue',
      provider: 'Google',
      date,
      input: 1.25,
      cachedInput: 0.125,
      output: 10,
      tiers: [{ above: 200_000, input: 2.5, cachedInput: 0.25, output: 15 }],
    },
  ]);
  const table = await project.aiq('prices', 'own-model');
  expect(table.stdout).toBe(
    'own-model\t-\t1\t1\t2\t8\t8\taiq.config.yaml\n  above 1,000 tokens in\t\t3\t3\t3\t9\t9\t\n',
  );
});

test('a model that nobody has a price for is named with the lines that give it one', async () => {
  const none = await project.aiq('prices', 'never-heard-of');
  expect(none).toMatchObject({ code: 5, stdout: '' });
  expect(none.stderr).toContain('never-heard-of has no price');
  expect(none.stderr).toContain('prices: { "never-heard-of": { input: 0.25, output: 2 } }');
  expect((await project.aiq('prices', 'never-heard-of', 'own-model')).code).toBe(9);
  expect((await project.aiq('prices')).stdout).toContain('own-model');
});

test.each([
  ['{ m: { input: 1, output: 1, tiers: 7 } }', '"prices.m.tiers" must be a list'],
  [
    '{ m: { input: 1, output: 1, tiers: [{ input: 1, output: 1 }] } }',
    '"prices.m.tiers.0.above" must be a number of tokens above 0',
  ],
  [
    '{ m: { input: 1, output: 1, tiers: [{ above: 9, input: 1, output: 1 }, { above: 9, input: 1, output: 1 }] } }',
    '"prices.m.tiers.1.above" must be a number of tokens above 9',
  ],
  [
    '{ m: { input: 1, output: 1, tiers: [{ above: 9, input: -1, output: 1 }] } }',
    '"prices.m.tiers.0.input": -1 is not a price',
  ],
])('prices: %s is refused with its place', async (prices, message) => {
  const other = await Project.make();
  try {
    await other.write('aiq.config.yaml', `prices: ${prices}\n`);
    const { code, stderr } = await other.aiq('prices');
    expect(code).toBe(3);
    expect(stderr).toContain(message);
  } finally {
    await other.remove();
  }
});
