/** Budgets and costs as people meet them: from the configuration to the broker, and what a run says of them. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EndpointProcess, Project } from '../../support/project.ts';

let project: Project;
let endpoint: EndpointProcess;

const prices = '{ aiq-offline: { input: 1, output: 2 } }';
const configWith = (budgets: string): string => `prices: ${prices}\nbudgets:\n  ${budgets}\n`;
const daily = 'daily: { amount: 3, currency: USD, per: day, timeZone: Europe/Berlin }';

beforeAll(async () => {
  endpoint = await EndpointProcess.start('aiq-offline');
  project = await Project.make(endpoint.env);
});

beforeEach(() => project.write('aiq.config.yaml', configWith(daily)));

afterAll(async () => {
  await project.remove();
  await endpoint.stop();
});

/** The budget as JSON. */
async function shown(name: string): Promise<{ readonly [field: string]: unknown }> {
  const { stdout } = await project.succeed('--json', 'budgets', 'show', name);
  return JSON.parse(stdout) as { readonly [field: string]: unknown };
}

describe('aiq budgets', () => {
  test('makes the budgets of the file known, raises, and takes new terms', async () => {
    expect((await project.succeed('budgets', 'list')).stderr).toContain('aiq budgets set');
    await project.succeed('budgets', 'set');
    const completed = await project.succeed('__complete', '--', 'budgets', 'show', '');
    expect(completed.stdout).toBe('daily\t0 of 3 USD used\n');
    const [row] = (await project.succeed('budgets', 'list')).stdout.split('\n');
    const until = expect.stringMatching(/^\d{4}-\d\d-\d\dT2[23]:00Z$/) as unknown;
    expect(row?.split('\t')).toEqual([
      'daily',
      '3 USD',
      'day',
      '0',
      '0',
      '0',
      '3',
      '0',
      until,
      'all',
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

describe('jobs whose calls do not fit', () => {
  const line =
    '1 job waits for budget few (0 of 0.000001 USD used); aiq budgets raise few <amount> runs it';
  const add = ['enqueue', 'summarize', '--text', 'The mill burned. It was rebuilt.'];

  beforeEach(() =>
    project.write('aiq.config.yaml', configWith('few: { amount: 0.000001, currency: USD }')),
  );

  test('end a run and a wait with 10, and what they cost is told once they ran', async () => {
    await project.succeed('budgets', 'remove', 'daily');
    const waited = await project.aiq(...add, '--wait');
    expect(waited, waited.stderr).toMatchObject({ code: 10, stdout: '' });
    expect(waited.stderr).toContain(`error: ${line}`);
    const run = await project.aiq('run', '--until-empty');
    expect(run, run.stderr).toMatchObject({ code: 10 });
    expect(run.stderr).toContain(`\n${line}\n`);
    const other = await project.aiq('run', '--until-empty', '--agents', 'search');
    expect(other, other.stderr).toMatchObject({ code: 0 });
    expect((await project.succeed('budgets', 'raise', 'few', '1')).stderr).toContain(
      'budget few is 1 USD now; 1 job that waited for it runs on as far as there is room',
    );
    expect((await project.succeed('run', '--until-empty')).stderr).toContain('1 done');
  });

  test('are in the costs once they ran, of unknown cost until a person says it', async () => {
    const { heldMicros, unknownMicros, settledMicros, parked } = await shown('few');
    expect({ heldMicros, settledMicros, parked }).toEqual({
      heldMicros: 0,
      settledMicros: 0,
      parked: 0,
    });
    const sumsOf = async (): Promise<object> => {
      const day = new Date().toISOString().slice(0, 10);
      const args = ['--json', 'costs', '--since', '1d', '--until', day];
      return JSON.parse((await project.succeed(...args)).stdout) as object;
    };
    const call = { agent: 'summarize', model: 'aiq-offline', calls: 1, heldMicros: 0 };
    expect(await sumsOf()).toMatchObject({ ...call, unknownCalls: 1, unknownMicros });
    await project.succeed('budgets', 'settle', 'few', '0.002');
    expect(await shown('few')).toMatchObject({ settledMicros: 2_000, unknownMicros: 0 });
    expect(await sumsOf()).toMatchObject({ ...call, settledMicros: 2_000, unknownMicros: 0 });
    const { stdout, stderr } = await project.succeed('costs', '--by', 'model');
    expect(stdout).toMatch(/^aiq-offline\t1\t\d+\t\d+\t0\.002\t0\.00\t0\.00$/m);
    expect(stderr).toMatch(
      /^total: 1 call, \d+ tokens in, \d+ out, settled 0\.002, held 0\.00, unknown 0\.00$/m,
    );
    expect(await project.aiq('costs', '--since', 'noon')).toMatchObject({ code: 2 });
  });

  test('are warned of when 80 % of a budget are used, also with --quiet', async () => {
    await project.succeed('budgets', 'raise', 'few', '0.0025');
    const run = await project.succeed('--quiet', 'run', '--until-empty');
    expect(run.stderr).toBe('warning: budget few: 80 % of it is used (0.002 of 0.0025 USD used)\n');
  });

  test('leave the results of the others to a wait for all of them', async () => {
    await project.succeed('budgets', 'remove', 'few');
    await project.write('aiq.config.yaml', configWith('few: { amount: 0.012, currency: USD }'));
    await project.write('one.txt', 'The mill burned in the year of the great drought.');
    await project.write('two.txt', 'The bridge was opened with a band and a speech.');
    const waited = await project.aiq('enqueue', 'summarize', 'one.txt', 'two.txt', '--wait');
    expect(waited, waited.stderr).toMatchObject({ code: 10 });
    expect(waited.stdout).toMatch(/mill|bridge/);
    expect(waited.stderr).toMatch(
      /^error: 1 job waits for budget few \(0\.0\d+ of 0\.012 USD used\)/m,
    );
  });
});
