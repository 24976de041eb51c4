/** kill -9 at every step of the publish protocol, then another process takes over. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type CommitRecord,
  type Overwrite,
  openOutput,
  type PublishStep,
} from '../../core/output/index.ts';
import type { PublisherOrder } from '../support/publisher.ts';

const script = join(import.meta.dirname, '../support/publisher.ts');
const before: readonly PublishStep[] = ['staged', 'recorded', 'synced'];
const after: readonly PublishStep[] = ['committed', 'placed', 'proven', 'cleaned'];
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'aiq-crash-'));
});
afterEach(() => rm(root, { recursive: true }));

function start(order: Partial<PublisherOrder>): ChildProcess {
  const whole = { root, overwrite: 'number', jobs: [{ id: 'job1', paths }], ...order };
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

describe.each<Overwrite>(['number', 'error', 'replace'])('with the policy %s', (overwrite) => {
  it.each(before)(
    'a kill after "%s" leaves no result, and the next attempt makes it',
    async (killAt) => {
      expect(await publish({ mark: 'first', overwrite, killAt })).toBe('SIGKILL');
      expect(await results()).toEqual([]);
      expect(await publish({ mark: 'second', overwrite })).toBeNull();
      await expectWhole('second');
    },
  );

  it.each(after)(
    'a kill after "%s" is finished from disk, without the contents',
    async (killAt) => {
      expect(await publish({ mark: 'first', overwrite, killAt })).toBe('SIGKILL');
      for (const path of await results()) {
        expect(await readFile(join(root, path), 'utf8')).toBe(textOf('first', path));
      }
      const store = await openOutput(root);
      const record = await store.find('job1');
      expect(record?.files.map((file) => file.path)).toEqual(paths);
      await Promise.all([store.rollForward(record!), store.rollForward(record!)]);
      await store.close();
      await expectWhole('first');
    },
  );
});

describe('killed at any moment of many publishes', () => {
  const jobs = Array.from({ length: 30 }, (_, index) => ({
    id: `job${index}`,
    paths: ['same.md', `folder/${index}/a.md`, `folder/${index}/b.md`],
  }));

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('round %i: whole results after the next run', async (round) => {
    const dying = start({ jobs, mark: 'first' });
    // From before the first publish to after the last one, as far as this machine allows.
    setTimeout(() => dying.kill('SIGKILL'), 60 + round * 15);
    await once(dying, 'close');
    expect(await publish({ jobs, mark: 'second' })).toBeNull();

    const found = await results();
    expect(found).toHaveLength(90);
    for (const { id } of jobs) {
      const text = await readFile(join(root, '.aiq/provenance', `${id}.json`), 'utf8');
      const record = JSON.parse(text) as CommitRecord;
      const contents = record.files.map(({ path }) => readFileSync(join(root, path), 'utf8'));
      const mark = contents[0]!.startsWith('first') ? 'first' : 'second';
      const wanted = jobs.find((job) => job.id === id)!.paths;
      expect(contents).toEqual(wanted.map((path) => `${mark} ${id} ${path}\n`.repeat(200)));
    }
  });
});

async function expectWhole(mark: string): Promise<void> {
  expect(await results()).toEqual(paths.toSorted());
  for (const path of paths) {
    expect(await readFile(join(root, path), 'utf8')).toBe(textOf(mark, path));
  }
  const provenance = JSON.parse(await readFile(join(root, '.aiq/provenance/job1.json'), 'utf8'));
  expect(provenance).toMatchObject({ jobId: 'job1', files: paths.map((path) => ({ path })) });
  const store = await openOutput(root);
  await store.sweep(-60_000);
  await store.close();
  expect(await readdir(join(root, '.aiq/staged'))).toEqual([]);
}
