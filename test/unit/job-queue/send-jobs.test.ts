/** What is known already counts or does not: extracts once there is a provider, and superseded jobs. */

import { expect, test } from 'vitest';
import {
  type Enqueued,
  type InspectedJob,
  type Job,
  type JobInfo,
  jobAfter,
  newJob,
  readJobBody,
  sendJobs,
} from '../../../core/job-queue/index.ts';
import { infoWith } from '../../support/job-info.ts';

const job = newJob({ agent: 'a', agentDigest: 'ab'.repeat(32), queue: 'a', input: { text: 'x' } });

/** A queue in which these jobs are done, with these notes. */
function queueOf(notes: ReadonlyMap<string, object>) {
  const sent: Job[] = [];
  const infoOf = (id: string): JobInfo =>
    infoWith({ id, state: 'done', note: JSON.stringify(notes.get(id)) });
  return {
    sent,
    async enqueue(jobs: readonly Job[]): Promise<Enqueued[]> {
      sent.push(...jobs);
      return jobs.map(({ id }) =>
        notes.has(id)
          ? { id, outcome: 'exists' as const, state: 'done' as const }
          : { id, outcome: 'created' as const, state: 'ready' as const },
      );
    },
    async inspect(id: string): Promise<InspectedJob[]> {
      return notes.has(id) ? [{ info: infoOf(id), job: null, history: [] }] : [];
    },
  };
}

const real = async () => ({ name: 'openai', model: 'm' });
const none = async () => null;

test('an extract counts as long as there is no provider, and then the next job follows on it', async () => {
  const notes = new Map([[job.id, { files: [], provider: 'offline' }]]);
  const offline = await sendJobs(queueOf(notes), [job], none);
  expect(offline.answers).toMatchObject([{ id: job.id, outcome: 'exists' }]);
  const queue = queueOf(notes);
  const { answers, again } = await sendJobs(queue, [job], real);
  expect(answers).toMatchObject([{ id: jobAfter(job).id, outcome: 'created' }]);
  expect(again).toEqual({ jobs: 1, provider: 'openai' });
  expect(readJobBody(queue.sent[1] as Job)).toEqual({
    input: { text: 'x' },
    outputDir: null,
    after: job.id,
  });
});

test('a superseded job does not count, whoever does the jobs, and that is no extract made again', async () => {
  const next = jobAfter(job);
  const notes = new Map<string, object>([
    [job.id, { supersededBy: 'other' }],
    [next.id, { supersededBy: 'another' }],
  ]);
  const { answers, again } = await sendJobs(queueOf(notes), [job], none);
  expect(answers).toMatchObject([{ id: jobAfter(next).id, outcome: 'created' }]);
  expect(again.jobs).toBe(0);
});

test('an answer counts, and so does what cannot be looked at', async () => {
  const notes = new Map([[job.id, { files: [], provider: 'openai' }]]);
  const queue = queueOf(notes);
  const blind = { enqueue: (jobs: readonly Job[]) => queue.enqueue(jobs) };
  for (const sender of [queue, blind]) {
    const { answers } = await sendJobs(sender, [job], real);
    expect(answers).toMatchObject([{ id: job.id, outcome: 'exists' }]);
  }
});
