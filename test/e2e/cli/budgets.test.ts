/** Budgets and costs as people meet them: from the configuration to the broker, and what a run says of them. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Project } from '../../support/project.ts';

let project: Project;

const configWith = (budgets: string): string => `provider: offline\nbudgets:\n  ${budgets}\n`;
const daily = 'daily: { amount: 3, currency: USD, per: day, timeZone: Europe/Berlin }';

beforeAll(async () => {
  project = await Project.make();
});

beforeEach(() => project.write('aiq.config.yaml', configWith(daily)));

afterAll(() => project.remove());

/** The budget as JSON. */
async function shown(name: string): Promise<{ readonly [field: string]: unknown }> {
  const { stdout } = await project.succeed('--json', 'budgets', 'show', name);
  return JSON.parse(stdout) as { readonly [field: string]: unknown };
}

describe('aiq budgets', () => {
  test('makes the budgets of the file known, raises, and takes new terms', async () => {
    expect((await project.succeed('budgets', 'list')).stderr).toContain('aiq budgets set');
    await project.succeed('budgets', 'set');
    const [row] = (await project.succeed('budgets', 'list')).stdout.split('\n');
    const until = expect.stringMatching(/^\d{4}-\d\d-\d\dT2[23]:00Z$/) as unknown;
    expect(row?.split('\t')).toEqual([
      ...['daily', '3 USD', 'day', 'all', '0', '0', '0', '3', until, '0'],
    ]);
    const raised = await project.succeed('budgets', 'raise', 'daily', '5.5 USD');
    expect(raised.stderr).toBe('budget daily is 5.5 USD now\n');
    expect(await shown('daily')).toMatchObject({
      amountMicros: 5_500_000,
      termsAmountMicros: 3_000_000,
      leftMicros: 5_500_000,
    });
    await project.write('aiq.config.yaml', configWith(daily.replace('3', '4')));
    await project.succeed('budgets', 'set', 'daily');
    expect(await shown('daily')).toMatchObject({
      amountMicros: 4_000_000,
      termsAmountMicros: 4_000_000,
    });
    await project.succeed('budgets', 'remove', 'daily');
    expect(await project.aiq('budgets', 'show', 'daily')).toMatchObject({ code: 5 });
  });

  test.each([
    [['show', 'dialy'], 5, 'Did you mean "daily"?'],
    [['raise', 'daily', '0'], 2, '0 USD is not above what is used and held'],
    [['raise', 'daily', '3 EUR'], 2, '"3 EUR" is in EUR'],
    [['settle', 'daily', '1'], 2, 'no calls of unknown cost'],
    [['set', 'weekly'], 5, 'no budget "weekly"'],
  ])('%j ends with %i', async (args, code, text) => {
    await project.succeed('budgets', 'set');
    const finished = await project.aiq('budgets', ...args);
    expect(finished, finished.stderr).toMatchObject({ code, stdout: '' });
    expect(finished.stderr).toContain(text);
  });
});

test('a configuration with other terms is refused, and says how its own come to hold', async () => {
  await project.succeed('budgets', 'set');
  await project.write('aiq.config.yaml', configWith(daily.replace('day', 'week')));
  const refused = await project.aiq('run', '--until-empty');
  expect(refused, refused.stderr).toMatchObject({ code: 3 });
  expect(refused.stderr).toContain('aiq budgets set daily');
  expect(refused.stderr).not.toContain('--id');
  await project.succeed('budgets', 'set', 'daily');
  await project.succeed('run', '--until-empty');
});

test('a run and a wait end with 10 where jobs wait for a budget, and with 0 once they run', async () => {
  await project.succeed('budgets', 'set');
  const parked = ['--text', 'The mill burned.', '--park-key', 'budget:daily'];
  await project.succeed('enqueue', 'summarize', ...parked);
  const line =
    '1 job waits for budget daily (0 of 3 USD used); aiq budgets raise daily <amount> runs it';
  const run = await project.aiq('run', '--until-empty');
  expect(run, run.stderr).toMatchObject({ code: 10 });
  expect(run.stderr).toContain(line);
  const other = await project.aiq('run', '--until-empty', '--agents', 'search');
  expect(other, other.stderr).toMatchObject({ code: 0 });
  const waited = await project.aiq('enqueue', 'summarize', ...parked, '--wait');
  expect(waited, waited.stderr).toMatchObject({ code: 10, stdout: '' });
  expect(waited.stderr).toContain(`error: ${line}`);
  await project.succeed('budgets', 'raise', 'daily', '5');
  const ran = await project.succeed('run', '--until-empty');
  expect(ran.stderr).toContain('1 done');
});

test('costs have a line for each agent and model that was called, and a total', async () => {
  await project.succeed('enqueue', 'summarize', '--text', 'It was rebuilt.', '--force', '--wait');
  const { stdout, stderr } = await project.succeed('costs');
  expect(stdout).toMatch(/^summarize\taiq-offline\t\d+\t\d+\t\d+\t0\.00\t0\.00\t0\.00$/m);
  expect(stderr).toMatch(/^total: \d+ calls?, \d+ tokens in, \d+ out, settled 0\.00/m);
  const day = new Date().toISOString().slice(0, 10);
  const sums = await project.succeed('--json', 'costs', '--by', 'day', '--since', day);
  expect(JSON.parse(sums.stdout)).toMatchObject({ day, settledMicros: 0 });
  expect(await project.aiq('costs', '--since', 'noon')).toMatchObject({ code: 2 });
});
