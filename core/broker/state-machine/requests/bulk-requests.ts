/**
 * Purge, RetryDead and Signal: operations on as many jobs as there are. They are checked and begun
 * here; `BulkRunner` runs them in small logged steps, so that other requests need not wait for them.
 */

import { isKey, isQueueName, limits } from '../../../protocol/index.ts';
import { type Request, refuse, respond } from '../context/request.ts';
import type { RecordOf } from '../records/records.ts';
import type { BulkOperation } from '../state/bulks.ts';

type BulkRequest = Request<'Purge' | 'RetryDead' | 'Signal' | 'Bulk'>;

/** Operations that may be under way at one time, and those of one session. */
const underWayMax = 1000;
const underWayPerSessionMax = 100;

export function purge(request: Request<'Purge'>): void {
  const { queue } = request.fields;
  if (isQueueName(queue)) start(request, { action: 'purge', queue, key: null });
  else refuse(request, 'BAD_REQUEST', notAQueue(queue));
}

export function retryDead(request: Request<'RetryDead'>): void {
  const { queue, errorCode } = request.fields;
  // What is named is logged and kept, so its length has a bound: that of a settle's code.
  if (queue !== null && !isQueueName(queue)) refuse(request, 'BAD_REQUEST', notAQueue(queue));
  else if ((errorCode?.length ?? 0) > limits.errorCodeBytesMax) {
    const most = `a code has at most ${limits.errorCodeBytesMax} bytes`;
    refuse(request, 'BAD_REQUEST', `errorCode is too long: ${most}`);
  } else start(request, { action: 'retryDead', queue, key: errorCode });
}

function notAQueue(name: string): string {
  return `not a queue name: ${JSON.stringify(name.slice(0, 60))}`;
}

export function signal(request: Request<'Signal'>): void {
  const { key } = request.fields;
  if (isKey(key)) start(request, { action: 'signal', queue: null, key });
  else refuse(request, 'BAD_REQUEST', `not a park key: ${JSON.stringify(key.slice(0, 60))}`);
}

export function bulkProgress(request: Request<'Bulk'>): void {
  const { bulk } = request.fields;
  const operation = request.core.state.bulks.get(bulk);
  if (operation === undefined) refuse(request, 'NOT_FOUND', `no bulk operation ${bulk} is known`);
  else respondWithProgress(request, operation);
}

function start(
  request: BulkRequest,
  what: Pick<RecordOf<'bulkStarted'>, 'action' | 'queue' | 'key'>,
): void {
  const { core, session, now } = request;
  const { bulks } = core.state;
  if (bulks.activeCount >= underWayMax) {
    refuse(request, 'QUEUE_FULL', `${underWayMax} bulk operations are under way, the limit`);
    return;
  }
  if (core.bulks.countOf(session.id) >= underWayPerSessionMax) {
    const most = `${underWayPerSessionMax} bulk operations of this session are under way`;
    refuse(request, 'QUEUE_FULL', `${most}, its limit: ask for their progress with Bulk`);
    return;
  }
  respondWithProgress(request, core.bulks.begin(what, session.id, now));
}

function respondWithProgress(request: BulkRequest, { bulk, touched, done }: BulkOperation): void {
  respond(request, 'BulkOk', { bulk, touched, done });
}
