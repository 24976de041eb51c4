/** What the threads of jobs read of output folders by themselves. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OutputFolder } from '../../../core/output/index.ts';
import { OutputViews } from '../../../core/runtime/outputs/views.ts';
import { publish } from '../../support/results.ts';

let root: string;
let views: OutputViews;
let opened: string[];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'aiq-views-'));
  views = new OutputViews();
  opened = [];
});
afterEach(async () => {
  await views.close();
  await rm(root, { recursive: true });
});

const read = () =>
  views.of({
    prompts: async () => null,
    open: async (dir) => {
      opened.push(dir);
      await (await OutputFolder.open(dir)).close();
    },
  });

it('ask for a folder once, however many jobs read it', async () => {
  const jobs = Array.from({ length: 40 }, (_, at) => `job${at}`);
  await Promise.all(
    jobs.map(async (job) => {
      expect(await read().find(root, job, null)).toEqual({ result: null, isAfterExtract: false });
      expect(await read().check(root, `${job}.md`, 'number', null)).toBe(`${job}.md`);
    }),
  );
  expect(opened).toEqual([root]);
});

it('show a result as soon as it is written, by whomever', async () => {
  expect((await read().find(root, 'job1', null)).result).toBeNull();
  await publish(root, 'job1', { 'note.md': 'first' }, { provider: 'offline', model: 'm' });
  expect((await read().find(root, 'job1', null)).result).toEqual({
    files: ['note.md'],
    provider: 'offline',
    model: 'm',
  });
  expect((await read().find(root, 'job2', 'job1')).isAfterExtract).toBe(true);
  expect(await read().check(root, 'note.md', 'number', null)).toBeNull();
  expect(await read().check(root, 'note.md', 'error', 'job1')).toBeNull();
});

it('ask again for a folder that could not be opened', async () => {
  const broken = views.of({
    prompts: async () => null,
    open: async () => {
      throw new Error('no room');
    },
  });
  await expect(broken.find(root, 'job1', null)).rejects.toThrow('no room');
  expect((await read().find(root, 'job1', null)).result).toBeNull();
  expect(opened).toEqual([root]);
});
