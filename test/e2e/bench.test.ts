/**
 * That the measurements run at all, on aiq alone and with tiny counts, and how their figures are weighed
 * and drawn. No figure that they take is held against anything.
 */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FigureResult, Results } from '../../bench/report/results.ts';
import { svgOf } from '../../bench/report/svg.ts';
import { targetsOf } from '../../bench/report/targets.ts';
import { targetLines } from '../../bench/report/text.ts';
import { root } from '../tidy/rules/repository.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aiq-bench-test-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

function bench(name: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, TMPDIR: dir };
    const command = [join(root, 'bench', `${name}.ts`), ...args];
    execFile(process.execPath, command, { env }, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8')) as T;
}

describe('peers', () => {
  test('takes every kind of figure of aiq, prints it, writes and draws it', async () => {
    const [json, svg] = [join(dir, 'r.json'), join(dir, 'r.svg')];
    const parts = ['--part', 'one-by-one', 'consume', 'processor-time', 'latency', 'restart'];
    const tiny = ['--peers', 'aiq', '--repetitions', '1', '--window', '60', '--backlog', '300'];
    const ended = await bench('peers', [...parts, ...tiny, '--json', json, '--svg', svg]);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toContain('Consume no-op jobs, 64 at once');
    expect(ended.stdout).toMatch(/^restart after SIGKILL .* ms .*≤ 3000 ms (?:met|MISSED)/m);
    const { parts: found } = await readJson<Results>(json);
    expect(found.map(({ name }) => name)).toEqual(parts.slice(1));
    const values = found.flatMap(({ figures }) => figures.flatMap(({ series }) => series));
    expect(values.every(({ peer }) => peer === 'aiq')).toBe(true);
    expect(await readFile(svg, 'utf8')).toContain('after SIGKILL, ms (shorter is better)');
  });

  test.each([
    [['--part', 'sped'], 'there is no part "sped"; there are: one-by-one, bulk'],
    [['--peers', 'kafka'], 'there is no peer "kafka"; there are: aiq, beanstalkd'],
    [['--repetitions', '0'], '--repetitions takes a whole number'],
    [['--turbo'], '--turbo'],
  ])('refuses %j and says what there is', async (args, words) => {
    const { code, stderr } = await bench('peers', args);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
  });
});

describe('runtime', () => {
  test('runs aiq and the loop beside each other, counts files, and writes what it found', async () => {
    const json = join(dir, 'r.json');
    const tiny = ['--latency', '0', '--concurrency', '4', '--jobs', '8', '--repetitions', '1'];
    const only = ['--contestants', 'aiq,loop', '--json', json];
    const ended = await bench('runtime', [...tiny, ...only]);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toMatch(
      /^0 ms, 4 at once: .* × the loop's time, must ≤ 1.2 (?:met|MISSED)/m,
    );
    const { duels } = await readJson<{ duels: { performances: { name: string }[] }[] }>(json);
    expect(duels.map(({ performances }) => performances.map(({ name }) => name))).toEqual([
      ['aiq', 'loop'],
    ]);
  });
});

/** Three repetitions: aiq, a durable peer, and one that is not. */
function figure(key: string, aiq: number[], durable: (number | null)[], relaxed: number[]) {
  const paused = [0, 0, 0];
  const series = [
    { peer: 'aiq', values: aiq, paused },
    { peer: 'rabbitmq', values: durable, paused },
    { peer: 'jetstream', values: relaxed, paused },
  ];
  return { key, title: `${key} a second`, digits: 0, better: 'more' as const, series };
}

function resultsOf(name: string, figures: readonly FigureResult[]): Results {
  const peers = ['aiq', 'rabbitmq', 'jetstream'].map((peer) => ({
    name: peer,
    title: `<${peer}>`,
    version: '1',
    isDurable: peer !== 'jetstream',
    settings: [],
    packages: {},
    syncs: null,
  }));
  return { machine: ['one & only'], peers, parts: [{ name, title: 'A part', figures }] };
}

describe('figures', () => {
  const rates = resultsOf('one-by-one', [
    figure('perSecond', [10, 30, 20], [10, null, 5], [90, 90, 90]),
  ]);

  test('are compared pair by pair with the best durable peer, and what failed is left out', () => {
    const [first, second] = targetsOf(rates);
    expect(first).toMatchObject({ value: 2.5, must: 1.2, stretch: 2 });
    expect(second?.value).toBeNull();
    const [, , row, ...more] = targetLines(targetsOf(rates));
    expect(row).toMatch(/2\.50 × +≥ 1\.2 × met +≥ 2 × met$/);
    expect(more).toEqual(['22 more targets were not measured']);
  });

  test('of processor time are compared by the least', () => {
    const times = resultsOf('processor-time', [
      figure('serverMicros', [60, 50, 500], [100, null, 200], [40, 50, 60]),
    ]);
    const [first, second] = targetsOf(times).filter(({ value }) => value !== null);
    expect([first?.value, second?.value]).toEqual([0.5, 1.25]);
  });

  test('are drawn as bars with names, medians and ranges', () => {
    const svg = svgOf(rates);
    for (const words of ['A part', 'perSecond a second (longer is better)', '20 [10–30]']) {
      expect(svg).toContain(words);
    }
    expect(svg).toContain('&lt;rabbitmq> (D)');
    expect(svg).toContain('one &amp; only');
  });
});
