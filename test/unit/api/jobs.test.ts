/** Looking at jobs through the API: one by the beginning of its id, many page by page. */

import { expect, test } from 'vitest';
import type { SearchOptions } from '../../../core/api/index.ts';
import { findJob, listJobs, searchJobs, waitForJob } from '../../../core/api/jobs.ts';
import {
  describeJob,
  type JobFilter,
  type JobInfo,
  type JobPage,
  type SearchFilter,
  type SearchPage,
} from '../../../core/job-queue/index.ts';
import { infoWith } from '../../support/job-info.ts';

const id = 'k3f9aa21m0v7k3f9aa21m0v7k0';

const inspecting = (...found: JobInfo[]) => ({
  address: 'file:/x',
  inspect: async () => found.map((one) => ({ info: one, job: null, history: [] })),
  wait: async (whole: string) => infoWith({ id: whole, state: 'done' }),
});

test('one job is found by any unique beginning of its id, in capitals too', async () => {
  expect(await findJob(inspecting(infoWith()), 'K3F9')).toEqual({
    ...describeJob(infoWith()),
    history: [],
  });
  expect(await findJob(inspecting(), 'k3f9')).toBeNull();
});

test.each(['', 'not an id', 'ilou'])('"%s" is refused as no id', async (text) => {
  await expect(findJob(inspecting(infoWith()), text)).rejects.toMatchObject({
    code: 'BAD_REQUEST',
  });
});

test('an id that fits several jobs is refused', async () => {
  const several = inspecting(infoWith(), infoWith({ id: `k3f9${id.slice(4)}` }));
  await expect(findJob(several, 'k3')).rejects.toMatchObject({
    code: 'BAD_REQUEST',
    message: expect.stringContaining('several'),
  });
});

test('waiting takes a short id, and knows at once when there is no such job', async () => {
  expect(await waitForJob(inspecting(infoWith()), 'k3f9', undefined)).toMatchObject({
    id,
    state: 'done',
  });
  await expect(waitForJob(inspecting(), 'k3f9', undefined)).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

test('a wait that was given up before it began asks nobody', async () => {
  const reason = new Error('enough');
  const asked = waitForJob(inspecting(infoWith()), id, AbortSignal.abort(reason));
  await expect(asked).rejects.toBe(reason);
});

test('many jobs come page by page, and no page is fetched before it is needed', async () => {
  const asked: JobFilter[] = [];
  const pages: JobPage[] = [
    { jobs: [infoWith({ source: 'c' }), infoWith({ source: 'b' })], next: 7 },
    { jobs: [infoWith({ source: 'a' })], next: null },
  ];
  const list = async (filter: JobFilter): Promise<JobPage> => {
    asked.push(filter);
    return pages[asked.length - 1] ?? { jobs: [], next: null };
  };
  const sources: string[] = [];
  for await (const { source } of listJobs({ list }, { queue: 'q', state: 'dead' })) {
    sources.push(`${source} after ${asked.length}`);
  }
  expect(sources).toEqual(['c after 1', 'b after 1', 'a after 2']);
  expect(asked).toMatchObject([
    { queue: 'q', state: 'dead' },
    { queue: 'q', state: 'dead', before: 7 },
  ]);
  expect(asked[0]).not.toHaveProperty('before');
});

test('a search names its conditions, and goes on behind each page', async () => {
  const asked: SearchFilter[] = [];
  const search = async (filter: SearchFilter): Promise<SearchPage> => {
    asked.push(filter);
    const isLast = asked.length > 1;
    const source = isLast ? 'b' : 'a';
    return { jobs: [infoWith({ source })], next: isLast ? null : 'cursor', offset: 9 };
  };
  const since = new Date(Date.UTC(2026, 10, 22));
  const sources: string[] = [];
  for await (const { source } of searchJobs(
    { search },
    { code: 'timeout', since, minCost: 0.05 },
  )) {
    sources.push(source);
  }
  expect(sources).toEqual(['a', 'b']);
  expect(asked).toMatchObject([
    { errorCode: 'timeout', sinceMs: since.getTime(), costMicrosMin: 50_000, after: '' },
    { errorCode: 'timeout', after: 'cursor' },
  ]);
});

test.each([
  ['states', { states: ['finished'] }],
  ['tag', { tag: 7 }],
  ['since', { since: 'yesterday' }],
  ['minCost', { minCost: -1 }],
])('a search with %s of the wrong kind is refused by its name', async (name, options) => {
  const search = () => Promise.reject(new Error('asked'));
  const found = searchJobs({ search }, options as SearchOptions);
  await expect(found.next()).rejects.toThrow(new RegExp(`^${name} must`));
});
