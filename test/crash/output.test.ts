/** kill -9 at every step of writing a result, then another process goes on from what was settled. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Overwrite, PlaceStep } from '../../core/output/index.ts';
import type { PublisherOrder } from '../support/publisher.ts';

const script = join(import.meta.dirname, '../support/publisher.ts');
const steps: readonly PlaceStep[] = ['written', 'indexed', 'named'];
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'aiq-crash-'));
});
afterEach(() => rm(root, { recursive: true }));

function start(order: Partial<PublisherOrder>): ChildProcess {
  const jobs = [{ id: 'job1', paths }];
  const whole = { root, overwrite: 'number', jobs, mark: 'first', ...order };
  return spawn(process.execPath, [script, JSON.stringify(whole)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

async function publish(order: Partial<PublisherOrder>): Promise<NodeJS.Signals | null> {
  const [, signal] = (await once(start(order), 'close')) as [number | null, NodeJS.Signals | null];
  return signal;
}

const paths = ['a/one.md', 'a/two.md', 'three.md'];
const results = async () =>
  (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('.aiq'))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .toSorted();
const textOf = (mark: string, path: string) => `${mark} job1 ${path}\n`.repeat(200);
const unfinished = () => readdir(join(root, '.aiq/unfinished'));

async function expectWhole(mark: string): Promise<void> {
  expect(await results()).toEqual(paths.toSorted());
  for (const path of paths) {
    expect(await readFile(join(root, path), 'utf8')).toBe(textOf(mark, path));
  }
  expect(await unfinished()).toEqual([]);
}

describe.each<Overwrite>(['number', 'error', 'replace'])('with the policy %s', (overwrite) => {
  it.each(steps)(
    'a kill after "%s" shows nothing half, and the next process goes on',
    async (killAt) => {
      expect(await publish({ overwrite, killAt })).toBe('SIGKILL');
      for (const path of await results()) {
        expect(await readFile(join(root, path), 'utf8')).toBe(textOf('first', path));
      }
      expect(await publish({ overwrite, recovers: true })).toBeNull();
      await expectWhole('first');
    },
  );
});

it('what a power cut left half is written again, whatever the policy', async () => {
  for (const overwrite of ['number', 'error', 'replace'] as const) {
    expect(await publish({ overwrite, killAt: 'named' })).toBe('SIGKILL');
    await truncate(join(root, 'a/one.md'), 100);
    await truncate(join(root, 'three.md'), 0);
    expect(await publish({ overwrite, recovers: true })).toBeNull();
    await expectWhole('first');
    await rm(root, { recursive: true });
  }
  await publish({});
});

it('half a line at the end of the index says nothing and harms no other', async () => {
  expect(await publish({ killAt: 'written' })).toBe('SIGKILL');
  await appendFile(join(root, '.aiq/results.jsonl'), '["job1",[["a/one.md","abc');
  expect(await publish({ recovers: true })).toBeNull();
  await expectWhole('first');
  expect(await publish({ mark: 'second' })).toBeNull();
  await expectWhole('first');
});

describe('killed at any moment of many results', () => {
  const jobs = Array.from({ length: 30 }, (_, index) => ({
    id: `job${index}`,
    paths: ['same.md', `folder/${index}/a.md`, `folder/${index}/b.md`],
  }));

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'round %i: each is whole and once after the next run',
    async (round) => {
      const dying = start({ jobs });
      // From before the first result to after the last one, as far as this machine allows.
      setTimeout(() => dying.kill('SIGKILL'), 60 + round * 15);
      await once(dying, 'close');
      expect(await publish({ jobs, recovers: true })).toBeNull();
      const found = await results();
      expect(found).toHaveLength(90);
      const texts = await Promise.all(found.map((path) => readFile(join(root, path), 'utf8')));
      const wanted = jobs.flatMap((job) =>
        job.paths.map((path) => `first ${job.id} ${path}\n`.repeat(200)),
      );
      expect(texts.toSorted()).toEqual(wanted.toSorted());
      expect(await unfinished()).toEqual([]);
    },
  );
});
