/** Batches as people meet them: capped, stopped where everything fails, and resumed. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EndpointProcess, Project } from '../../support/project.ts';

const fails = '400 of something else';
const jobs = 100;

let project: Project;
let endpoint: EndpointProcess;

beforeAll(async () => {
  endpoint = await EndpointProcess.start('aiq-offline');
  project = await Project.make(endpoint.env);
  await project.write('aiq.config.yaml', 'prices: { aiq-offline: { input: 1, output: 2 } }\n');
  const lines = Array.from({ length: jobs }, (_, index) =>
    JSON.stringify({ text: `Mill ${index} burned. It was rebuilt.` }),
  );
  await project.write('texts.jsonl', lines.join('\n'));
});

afterAll(async () => {
  await project.remove();
  await endpoint.stop();
});

interface Batch {
  readonly name: string;
  readonly stopped: string | null;
  readonly counts: { readonly [state: string]: number };
}

async function batch(name: string): Promise<Batch | undefined> {
  const { stdout } = await project.succeed('--json', 'batches', 'list');
  const all = stdout.split('\n').filter((line) => line !== '');
  return all.map((line) => JSON.parse(line) as Batch).find((one) => one.name === name);
}

const enqueue = (...flags: string[]) =>
  project.succeed('enqueue', 'summarize', '--jsonl', 'texts.jsonl', '--force', ...flags);
const run = (...flags: string[]) =>
  project.aiq('run', '--until-empty', '--agents', 'summarize', '--concurrency', '4', ...flags);

describe('a batch whose jobs all fail of one cause', () => {
  test('costs twenty of them and what ran then, says so once, and goes on after a resume', async () => {
    await enqueue('--batch', 'spring');
    const before = (await endpoint.started()).length;
    const stopped = await run('--model', fails);
    const calls = (await endpoint.started()).length - before;
    expect(calls).toBeGreaterThanOrEqual(20);
    expect(calls).toBeLessThanOrEqual(20 + 4);
    const told = stopped.stderr.split('\n').filter((line) => line.includes('of batch spring wait'));
    expect(told).toEqual([
      `${jobs - calls} jobs of batch spring wait: all 20 jobs that were tried failed: bad_request. ` +
        'Mend it, then: aiq batches resume spring',
    ]);
    expect(await batch('spring')).toMatchObject({
      stopped: 'all 20 jobs that were tried failed: bad_request',
      counts: { parked: jobs - calls, dead: calls },
    });
    await project.succeed('batches', 'resume', 'spring');
    const finished = await run();
    expect(finished, finished.stderr).toMatchObject({ code: 0 });
    expect(await batch('spring')).toMatchObject({
      stopped: null,
      counts: { parked: 0, done: jobs - calls },
    });
  });

  test('goes on where its rule says never, and stops early where it says so', async () => {
    await enqueue('--batch', 'all', '--stop-after', 'never');
    await run('--model', fails);
    expect(await batch('all')).toMatchObject({ stopped: null, counts: { dead: jobs } });
    await enqueue('--batch', 'few', '--stop-after', '2');
    await run('--model', fails);
    const few = await batch('few');
    expect(few?.stopped).toContain('3 jobs failed, and more than 2 are too many');
    expect(few?.counts['dead']).toBeLessThanOrEqual(3 + 4);
    await project.succeed('batches', 'resume', 'few');
    const ended = await run('--model', fails, '--stop-after', '0');
    expect(ended, ended.stderr).toMatchObject({ code: 10 });
    expect(ended.stderr).toContain('stopped: ');
    await project.succeed('batches', 'resume', 'few');
    expect(await run()).toMatchObject({ code: 0 });
  });
});

test('--max-cost holds for the batch together, and what it cost is told by batch', async () => {
  await enqueue('--batch', 'capped', '--max-cost', '0.004');
  const parked = await run();
  expect(parked, parked.stderr).toMatchObject({ code: 10 });
  expect(parked.stderr).toContain('budget batch.capped');
  const { stdout } = await project.succeed('--json', 'budgets', 'show', 'batch.capped');
  const shown = JSON.parse(stdout) as { settledMicros: number; heldMicros: number };
  expect(shown.settledMicros).toBeLessThanOrEqual(4_000);
  expect(shown.heldMicros).toBe(0);
  await project.succeed('budgets', 'raise', 'batch.capped', '5');
  expect(await run()).toMatchObject({ code: 0 });
  expect(await batch('capped')).toMatchObject({ counts: { done: jobs } });
  const costs = await project.succeed('--json', 'costs', '--by', 'batch');
  const row = costs.stdout.split('\n').find((line) => line.includes('"capped"')) ?? '{}';
  expect(JSON.parse(row)).toMatchObject({ batch: 'capped', calls: jobs });
});

test.each([
  [['--max-cost', '0'], '--max-cost'],
  [['--max-cost', '3 EUR'], '--max-cost'],
  [['--stop-after', 'often'], 'failures > 5%'],
  [['--batch', 'a b'], '--batch'],
])('%j is refused, and nothing is queued', async (flags, text) => {
  const refused = await project.aiq('enqueue', 'summarize', '--text', 'x', ...flags);
  expect(refused, refused.stderr).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toContain(text);
});
