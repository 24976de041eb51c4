/**
 * Purge, RetryDead and Signal: operations on as many jobs as there are. They are checked and begun
 * here; `BulkRunner` takes them forward in logged steps so small that nobody else waits for them.
 */

import { isKey, isQueueName, limits, type Message } from '../../../protocol/index.ts';
import { answer, refuse } from '../context/request.ts';
import type { RecordOf } from '../records/records.ts';
import type { BulkOperation } from '../state/bulks.ts';
import type { CoreRequestContext } from './inspect.ts';

/** Operations that may be under way at one time, and those of one session. */
const underWayMax = 1000;
const underWayPerSessionMax = 100;

export function purge(caller: CoreRequestContext, { queue }: Message<'Purge'>): void {
  if (isQueueName(queue)) start(caller, { action: 'purge', queue, key: null });
  else refuse(caller, 'BAD_REQUEST', notAQueue(queue));
}

export function retryDead(
  caller: CoreRequestContext,
  { queue, errorCode }: Message<'RetryDead'>,
): void {
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

export function signal(caller: CoreRequestContext, { key }: Message<'Signal'>): void {
  if (isKey(key)) start(caller, { action: 'signal', queue: null, key });
  else refuse(caller, 'BAD_REQUEST', `not a park key: ${JSON.stringify(key.slice(0, 60))}`);
}

export function bulkProgress(caller: CoreRequestContext, { bulk }: Message<'Bulk'>): void {
  const operation = caller.core.state.bulks.get(bulk);
  if (operation === undefined) refuse(caller, 'NOT_FOUND', `no bulk operation ${bulk} is known`);
  else tell(caller, operation);
}

function start(
  caller: CoreRequestContext,
  what: Pick<RecordOf<'bulkStarted'>, 'action' | 'queue' | 'key'>,
): void {
  const { core, session, now } = caller;
  const { bulks, jobs } = core.state;
  if (bulks.activeCount >= underWayMax) {
    refuse(caller, 'QUEUE_FULL', `${underWayMax} bulk operations are under way, the limit`);
    return;
  }
  if (core.bulks.countOf(session.id) >= underWayPerSessionMax) {
    const most = `${underWayPerSessionMax} bulk operations of this session are under way`;
    refuse(caller, 'QUEUE_FULL', `${most}, its limit: ask for their progress with Bulk`);
    return;
  }
  const bulk = bulks.newest + 1;
  const seqMax = jobs.seqs.highest;
  const begin = { seqMax, touched: 0, nextSeq: 1, atMs: now.wallMs };
  core.commit({ kind: 'bulkStarted', bulk, ...what, ...begin });
  const operation = bulks.get(bulk);
  if (operation === undefined) throw new Error(`bulk operation ${bulk} did not begin`);
  core.bulks.begin(operation, session.id, now);
  tell(caller, operation);
}

function tell(caller: CoreRequestContext, { bulk, touched, done }: BulkOperation): void {
  answer(caller, 'BulkOk', { bulk, touched, done });
}
