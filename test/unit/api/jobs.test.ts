/** Looking at jobs through the API: one by the beginning of its id, many page by page. */

import { expect, test } from 'vitest';
import { findJob, listJobs, waitForJob } from '../../../core/api/jobs.ts';
import {
  describeJob,
  type JobFilter,
  type JobInfo,
  type JobPage,
  noUsage,
} from '../../../core/queue/index.ts';

const id = 'k3f9aa21m0v7k3f9aa21m0v7k0';

function info(fields: Partial<JobInfo> = {}): JobInfo {
  return {
    id,
    queue: 'summarize',
    agent: 'summarize',
    source: '',
    state: 'ready',
    attempts: 0,
    attemptsMax: 4,
    crashes: 0,
    returns: 0,
    deliveries: 0,
    bodyBytes: 10,
    enqueuedAtMs: 1,
    changedAtMs: 1,
    dueAtMs: 0,
    errorCode: '',
    errorMessage: '',
    note: '',
    usage: noUsage,
    ...fields,
  };
}

const inspecting = (...found: JobInfo[]) => ({
  address: 'file:/x',
  inspect: async () => found.map((one) => ({ info: one, job: null })),
  wait: async (whole: string) => info({ id: whole, state: 'done' }),
});

test('one job is found by any unique beginning of its id, in capitals too', async () => {
  expect(await findJob(inspecting(info()), 'K3F9')).toEqual(describeJob(info()));
  expect(await findJob(inspecting(), 'k3f9')).toBeNull();
});

test.each(['', 'not an id', 'ilou'])('"%s" is refused as no id', async (text) => {
  await expect(findJob(inspecting(info()), text)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
});

test('an id that fits several jobs is refused', async () => {
  const several = inspecting(info(), info({ id: `k3f9${id.slice(4)}` }));
  await expect(findJob(several, 'k3')).rejects.toMatchObject({
    code: 'BAD_REQUEST',
    message: expect.stringContaining('several'),
  });
});

test('waiting takes a short id, and knows at once when there is no such job', async () => {
  expect(await waitForJob(inspecting(info()), 'k3f9', undefined)).toMatchObject({
    id,
    state: 'done',
  });
  await expect(waitForJob(inspecting(), 'k3f9', undefined)).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

test('a wait that was given up before it began asks nobody', async () => {
  const reason = new Error('enough');
  const asked = waitForJob(inspecting(info()), id, AbortSignal.abort(reason));
  await expect(asked).rejects.toBe(reason);
});

test('many jobs come page by page, and no page is fetched before it is needed', async () => {
  const asked: JobFilter[] = [];
  const pages: JobPage[] = [
    { jobs: [info({ source: 'c' }), info({ source: 'b' })], next: 7 },
    { jobs: [info({ source: 'a' })], next: null },
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
