/** What a broker would tell of a job, for tests that show jobs or wait for them. */

import { type JobInfo, noUsage } from '../../core/protocol/index.ts';

/** A ready job that was enqueued once and never touched, but for what the test says. */
export function infoWith(fields: Partial<JobInfo> = {}): JobInfo {
  return {
    id: 'k3f9aa21m0v7k3f9aa21m0v7k0',
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
    expiresAtMs: 0,
    priority: 'normal',
    tags: [],
    parkKey: '',
    resultBytes: 0,
    output: 'none',
    errorCode: '',
    errorMessage: '',
    note: '',
    usage: noUsage,
    ...fields,
  };
}
