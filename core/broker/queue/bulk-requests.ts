/**
 * Purge, RetryDead and Signal: operations on as many jobs as there are, in logged steps so small
 * that nobody else waits for them.
 */

import { isKey, isQueueName, limits, type Message } from '../../protocol/index.ts';
import type { Now } from '../events.ts';
import type { BulkOperation } from './bulks.ts';
import { answer, refuse } from './caller.ts';
import type { Core } from './core.ts';
import type { CoreCaller } from './inspect.ts';
import type { JobEntry } from './job-entry.ts';
import type { RecordOf } from './records.ts';

/** Jobs that one step changes, and rows that it looks at to find them. */
const stepJobsMax = 40;
const stepLooksMax = 2_000;
/** Operations that may be under way at one time. */
const underWayMax = 1000;

export function purge(caller: CoreCaller, { queue }: Message<'Purge'>): void {
  if (isQueueName(queue)) start(caller, { action: 'purge', queue, key: null });
  else refuse(caller, 'BAD_REQUEST', notAQueue(queue));
}

export function retryDead(caller: CoreCaller, { queue, errorCode }: Message<'RetryDead'>): void {
  // What is named is logged and kept, so its length has a bound: that of a settle's code.
  if (queue !== null && !isQueueName(queue)) refuse(caller, 'BAD_REQUEST', notAQueue(queue));
  else if ((errorCode?.length ?? 0) > limits.errorCodeBytesMax) {
    const most = `a code has at most ${limits.errorCodeBytesMax} bytes`;
    refuse(caller, 'BAD_REQUEST', `errorCode is too long: ${most}`);
  } else start(caller, { action: 'retryDead', queue, key: errorCode });
}

function notAQueue(name: string): string {
  return `not a queue name: ${JSON.stringify(name.slice(0, 60))}`;
}

export function signal(caller: CoreCaller, { key }: Message<'Signal'>): void {
  if (isKey(key)) start(caller, { action: 'signal', queue: null, key });
  else refuse(caller, 'BAD_REQUEST', `not a park key: ${JSON.stringify(key.slice(0, 60))}`);
}

export function bulkProgress(caller: CoreCaller, { bulk }: Message<'Bulk'>): void {
  const operation = caller.core.state.bulks.get(bulk);
  if (operation === undefined) refuse(caller, 'NOT_FOUND', `no bulk operation ${bulk} is known`);
  else tell(caller, operation);
}

function start(
  caller: CoreCaller,
  what: Pick<RecordOf<'bulkStarted'>, 'action' | 'queue' | 'key'>,
): void {
  const { core, now } = caller;
  const { bulks, jobs } = core.state;
  if (bulks.activeCount >= underWayMax) {
    refuse(caller, 'QUEUE_FULL', `${underWayMax} bulk operations are under way, the limit`);
    return;
  }
  const bulk = bulks.newest + 1;
  const seqMax = jobs.seqs.highest;
  const begin = { seqMax, touched: 0, nextSeq: 1, atMs: now.wallMs };
  core.commit({ kind: 'bulkStarted', bulk, ...what, ...begin });
  const operation = bulks.get(bulk);
  if (operation === undefined) throw new Error(`bulk operation ${bulk} did not begin`);
  // Alone, a small one is over at once, so that nobody has to ask again.
  if (bulks.active() === operation) step(core, operation, now);
  tell(caller, operation);
}

function tell(caller: CoreCaller, { bulk, touched, done }: BulkOperation): void {
  answer(caller, 'BulkOk', { bulk, touched, done });
}

/** Does a step of the oldest operation; true when more is to be done. */
export function stepBulks(core: Core, now: Now): boolean {
  const operation = core.state.bulks.active();
  if (operation === undefined) return false;
  step(core, operation, now);
  return core.state.bulks.active() !== undefined;
}

function step(core: Core, operation: BulkOperation, now: Now): void {
  const { bulk, action } = operation;
  const ids = nextIds(core, operation);
  if (ids.length > 0) {
    const kind = { purge: 'cancelled', retryDead: 'retried', signal: 'signalled' } as const;
    core.commit({ kind: kind[action], ids, atMs: now.wallMs });
    const touched = operation.touched + ids.length;
    core.commit({ kind: 'bulkStepped', bulk, touched, nextSeq: operation.nextSeq });
  }
  if (operation.nextSeq > operation.seqMax) core.commit({ kind: 'bulkEnded', bulk });
}

/** Walks on over the jobs in order of acceptance, up to the last that was there at the begin. */
function nextIds({ state }: Core, operation: BulkOperation): string[] {
  const { seqs } = state.jobs;
  const ids: string[] = [];
  let looksLeft = stepLooksMax;
  while (ids.length < stepJobsMax && looksLeft > 0 && operation.nextSeq <= operation.seqMax) {
    const near = seqs.nearest(operation.nextSeq, 1, looksLeft);
    looksLeft -= near.looks;
    operation.nextSeq = near.next;
    const job = near.seq > operation.seqMax ? undefined : state.jobs.bySeq(near.seq);
    if (job !== undefined && concerns(state.jobs, operation, job)) ids.push(job.id);
  }
  return ids;
}

function concerns(
  jobs: Core['state']['jobs'],
  { action, queue, key }: BulkOperation,
  job: JobEntry,
): boolean {
  const { state } = job;
  if (queue !== null && jobs.queueOf(job).name !== queue) return false;
  switch (action) {
    case 'purge':
      return state === 'ready' || state === 'delayed' || state === 'parked';
    case 'retryDead':
      return state === 'dead' && (key === null || jobs.extras.cause.get(job.slot) === key);
    case 'signal':
      return state === 'parked' && jobs.queues.line(job.line).parkKey === key;
  }
}
