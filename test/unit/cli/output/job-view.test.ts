/** How jobs are shown: rows, sheets and the documented JSON. */

import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { existingJobText } from '../../../../core/cli/commands/enqueue/existing-job.ts';
import { findJob } from '../../../../core/cli/input/job-lookup.ts';
import { formatJobDetails, jobHeading, jobRow } from '../../../../core/cli/output/job-view.ts';
import { exitOfFinished } from '../../../../core/cli/wait.ts';
import {
  describeInspected,
  describeJob,
  type JobInfo,
  type JobQueue,
} from '../../../../core/job-queue/index.ts';
import { infoWith } from '../../../support/job-info.ts';

const now = Date.parse('2026-11-22T12:00:00Z');
const id = 'k3f9aa21m0v7k3f9aa21m0v7k0';

function job(fields: Partial<JobInfo> = {}): JobInfo {
  return infoWith({
    id,
    source: 'mill',
    bodyBytes: 2048,
    enqueuedAtMs: now - 180_000,
    changedAtMs: now - 60_000,
    ...fields,
  });
}

describe('a row', () => {
  test('has a cell for each heading', () => {
    const row = jobRow(job(), now);
    expect(row).toEqual(['k3f9aa21m0v7', 'summarize', 'ready', '0/4', '3m', 'mill', '-']);
    expect(row).toHaveLength(jobHeading.length);
  });

  test('of an extract, and of a superseded job, says so', () => {
    const extract = JSON.stringify({ files: ['/out/a.md'], provider: 'offline' });
    const row = jobRow(job({ state: 'done', note: extract }), now);
    expect(row.at(-1)).toMatch(/a\.md \(extract\)$/);
    const superseded = job({ state: 'done', note: JSON.stringify({ supersededBy: id }) });
    expect(jobRow(superseded, now)[2]).toBe('superseded');
    expect(describeJob(superseded)).toMatchObject({ extract: false, supersededBy: id });
  });

  test('of a dead job tells its last error on one line', () => {
    const row = jobRow(
      job({ state: 'dead', errorCode: 'template_failed', errorMessage: 'a\nb' }),
      now,
    );
    expect(row.at(-1)).toBe('template_failed: a b');
  });
});

test('the sheet leaves out what does not apply', () => {
  const sheet = formatJobDetails({ info: job(), history: [] }, now).join('\n');
  expect(sheet).toMatch(/^id +k3f9aa21m0v7k3f9aa21m0v7k0$/m);
  expect(sheet).toMatch(/^state +ready for 1m$/m);
  expect(sheet).not.toMatch(/last error|due|usage/);
});

test('the sheet tells priority, tags, key, times, result and history of a job that has them', () => {
  const info = job({
    state: 'parked',
    parkKey: 'approval:7',
    priority: 'high',
    tags: ['mill', 'q3'],
    expiresAtMs: now,
    resultBytes: 2048,
  });
  const session = '0'.repeat(26);
  const lost = { atMs: now, end: 'lost', delivery: 2, session } as const;
  const history = [{ ...lost, errorCode: 'lease_expired', errorMessage: 'nobody\nrenewed it' }];
  const sheet = formatJobDetails({ info, history }, now).join('\n');
  expect(sheet).toMatch(/^waits for +approval:7$/m);
  expect(sheet).toMatch(/^priority +high$/m);
  expect(sheet).toMatch(/^tags +mill q3$/m);
  expect(sheet).toMatch(/^expires +2026-11-22T12:00:00.000Z$/m);
  expect(sheet).toMatch(/^result +2 KiB$/m);
  expect(sheet).toMatch(
    /^history +2026-11-22T12:00:00.000Z {2}lost {2}delivery 2 {2}lease_expired: nobody renewed it$/m,
  );
});

test('the JSON of one job has its history as well', () => {
  const ended = { atMs: now, end: 'ack', delivery: 1, session: '0'.repeat(26) } as const;
  const history = [{ ...ended, errorCode: '', errorMessage: '' }];
  expect(describeInspected({ info: job(), job: null, history })).toMatchObject({
    id,
    priority: 'normal',
    tags: [],
    parkKey: null,
    expiresAt: null,
    history: [{ at: '2026-11-22T12:00:00.000Z', end: 'ack', delivery: 1, error: null }],
  });
});

test('the JSON has ISO times, and null for what is not there', () => {
  expect(describeJob(job({ dueAtMs: now }))).toMatchObject({
    id,
    shortId: 'k3f9aa21m0v7',
    enqueuedAt: '2026-11-22T11:57:00.000Z',
    dueAt: '2026-11-22T12:00:00.000Z',
    error: null,
    files: [],
  });
  expect(describeJob(job()).dueAt).toBeNull();
});

test('a note that is no JSON of ours shows no files', () => {
  for (const note of ['', 'null', '[]', '7', '{"files": "x"}', '{"files": [1]}', '{broken']) {
    expect(describeJob(job({ note })).files, note).toEqual([]);
  }
});

test('waiting ends with 0 for all done, 9 for some, 7 for none', () => {
  const done = job({ state: 'done' });
  const dead = job({ state: 'dead' });
  const cancelled = job({ state: 'cancelled' });
  expect(exitOfFinished([done, done])).toBe('ok');
  expect(exitOfFinished([done, dead])).toBe('partial');
  expect(exitOfFinished([dead, cancelled])).toBe('jobFailed');
});

/** A queue that knows these jobs and nothing else. */
function queueWith(jobs: JobInfo[]): JobQueue {
  const fitting = (prefix: string) => jobs.filter((info) => info.id.startsWith(prefix));
  const inspect = (prefix: string) =>
    Promise.resolve(fitting(prefix).map((info) => ({ info, job: null, history: [] })));
  return { address: 'file:x', inspect } as unknown as JobQueue;
}

describe('looking up a job by what was typed', () => {
  test('takes any unique beginning, in any case', async () => {
    const found = await findJob(queueWith([job(), job({ id: `z${id.slice(1)}` })]), 'K3');
    expect(found.info.id).toBe(id);
  });

  test('lists the candidates of an ambiguous one', async () => {
    const other = `k3f0${id.slice(4)}`;
    await expect(findJob(queueWith([job(), job({ id: other })]), 'k3f')).rejects.toMatchObject({
      exit: 'usage',
      details: [
        expect.stringContaining('k3f9aa21m0v7'),
        expect.stringContaining(other.slice(0, 12)),
      ],
    });
  });

  test('says what is not found and what is no id', async () => {
    await expect(findJob(queueWith([]), 'k3f')).rejects.toMatchObject({ exit: 'notFound' });
    for (const text of ['', 'k3-f', 'ü', `${id}0`, 'out/x.md']) {
      await expect(findJob(queueWith([job()]), text)).rejects.toMatchObject({ exit: 'usage' });
    }
  });
});

describe('the same job again', () => {
  const root = import.meta.dirname;
  const doneWith = (file: string) =>
    existingJobText(job({ state: 'done', note: JSON.stringify({ root, files: [file] }) }));

  test('names the file that stands', () => {
    expect(doneWith('job-view.test.ts')).toMatch(/^already done: .*job-view\.test\.ts$/);
  });

  test('says when the file is gone, and how to make it again', () => {
    expect(doneWith('gone.md')).toMatch(/gone\.md no longer exists\. .*--force/);
  });

  test('says which other model made it, and that it counts all the same', () => {
    const note = {
      root,
      files: ['job-view.test.ts'],
      provider: 'p',
      model: 'm-2026',
      askedModel: 'm',
    };
    const done = (parts: object) =>
      job({ state: 'done', note: JSON.stringify({ ...note, ...parts }) });
    expect(existingJobText(done({}), 'm')).toMatch(/^already done: /);
    expect(existingJobText(done({}), null)).toMatch(/^already done: /);
    expect(existingJobText(done({}), 'n')).toMatch(/^already done by m instead of n: .*--force$/);
    expect(existingJobText(done({ provider: 'offline' }), 'n')).toMatch(
      /^already done, as an extract: /,
    );
  });

  test('says when the file was changed since, by a job or by hand', async () => {
    const out = await mkdtemp(join(tmpdir(), 'aiq-known-'));
    await writeFile(join(out, 'x.md'), 'first');
    const note = JSON.stringify({ root: out, files: ['x.md'] });
    const done = job({ state: 'done', note, resultBytes: 5, output: 'written' });
    const sha256 = createHash('sha256').update('first').digest('hex');
    const file = { path: 'x.md', bytes: 5, sha256, content: async () => Buffer.from('first') };
    const common = { dir: out, overwrite: 'replace', replaces: null, provenance: '' } as const;
    const kept = { ...common, files: [file] };
    expect(existingJobText(done, null, kept)).toMatch(/^already done: /);
    await writeFile(join(out, 'x.md'), 'other');
    expect(existingJobText(done, null, kept)).toMatch(
      /x\.md was modified\. .*jobs result .*--force$/,
    );
    await rm(out, { recursive: true });
    expect(existingJobText(done, null, kept)).toMatch(/no longer exists\..*outputs restore/);
  });

  test('says why a result is not written yet', () => {
    const note = JSON.stringify({ root, files: ['x.md'], notWritten: 'ENOSPC: no space' });
    const done = job({ state: 'done', note, output: 'unwritten' });
    expect(existingJobText(done)).toMatch(/result is kept; not written: ENOSPC: no space/);
  });

  test('tells why a dead one failed', () => {
    const dead = job({ state: 'dead', errorCode: 'rate_limited', errorMessage: 'too fast' });
    expect(existingJobText(dead)).toMatch(/failed before: .*rate_limited: too fast.*--force/);
  });

  test('waiting and running ones need nothing', () => {
    expect(existingJobText(job())).toBe('already queued: k3f9aa21m0v7');
    expect(existingJobText(job({ state: 'delayed' }))).toMatch(/^already queued/);
    expect(existingJobText(job({ state: 'leased' }))).toMatch(/^already running/);
    const parked = job({ state: 'parked', parkKey: 'approval:7' });
    expect(existingJobText(parked)).toBe('already parked on approval:7: k3f9aa21m0v7');
  });
});
