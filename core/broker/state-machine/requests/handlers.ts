/**
 * The table of requests: each handler reads the fields, decides, commits and answers. It is exhaustive
 * by type: a new message without a row here does not compile.
 */

import { isQueueName, type RequestName } from '../../../protocol/index.ts';
import type { NetEvent, Now } from '../../events.ts';
import type { Core } from '../context/core.ts';
import { type Request, refuse, respond } from '../context/request.ts';
import { creditMax, type Session } from '../context/session.ts';
import { dropUploadsOf } from '../lifecycle/blob-expiry.ts';
import { endSession } from '../lifecycle/sessions.ts';
import { listBatches, openBatch, resumeBatch } from './batch-requests.ts';
import { getBlob, putBlob } from './blob-requests.ts';
import { bulkProgress, purge, retryDead, signal } from './bulk-requests.ts';
import { inspect, list, result, wait } from './inspect.ts';
import { journalGet, journalPut } from './journal-requests.ts';
import {
  budgets,
  charge,
  costs,
  raiseBudget,
  removeBudgets,
  reserve,
  setBudgets,
  settleBudget,
} from './money-requests.ts';
import { cancel, configureQueue, pause, retry, unpause } from './operate.ts';
import { folders, output, unwritten, written } from './output-requests.ts';
import { extend, resume, settle, settlePlain } from './settle.ts';
import { stats } from './stats.ts';

/** The handshake opens a session and Enqueue has its own event: neither comes here. */
type HandledName = Exclude<RequestName, 'Prove' | 'Hello' | 'Enqueue'>;

const handlers: { readonly [N in HandledName]: (request: Request<N>) => void } = {
  Ping: (request) => respond(request, 'Ok', {}),
  Goodbye: goodbye,
  Subscribe: subscribe,
  Settle: settle,
  PlainSettle: settlePlain,
  Extend: extend,
  Resume: resume,
  Inspect: inspect,
  List: list,
  Result: result,
  Problems: ({ core, connection, correlationId }) =>
    core.effects.add({ type: 'problems', connection, correlationId }),
  Stats: stats,
  Search: ({ core, connection, correlationId, fields: filter }) =>
    core.effects.add({ type: 'search', connection, correlationId, filter }),
  Wait: wait,
  Cancel: cancel,
  Retry: retry,
  Shutdown: shutdown,
  Pause: pause,
  Unpause: unpause,
  ConfigureQueue: configureQueue,
  Purge: purge,
  RetryDead: retryDead,
  Signal: signal,
  Bulk: bulkProgress,
  Watch: watch,
  BlobPut: putBlob,
  BlobGet: getBlob,
  JournalPut: journalPut,
  JournalGet: journalGet,
  Output: output,
  Unwritten: unwritten,
  Folders: folders,
  Written: written,
  Reserve: reserve,
  Charge: charge,
  Budgets: budgets,
  SetBudgets: setBudgets,
  RemoveBudgets: removeBudgets,
  RaiseBudget: raiseBudget,
  SettleBudget: settleBudget,
  Costs: costs,
  OpenBatch: openBatch,
  ResumeBatch: resumeBatch,
  Batches: listBatches,
};

/** Requests that add to the log without ending anything. */
const appending: ReadonlySet<string> = new Set<HandledName>([
  'JournalPut',
  'ConfigureQueue',
  'Signal',
  'RetryDead',
  'Written',
  'Reserve',
  'SetBudgets',
  'RaiseBudget',
  'OpenBatch',
]);

/** Runs the handler of a request. Messages that only a broker sends were refused by the I/O thread. */
export function handleRequest(
  core: Core,
  session: Session,
  { connection, request: { name, correlationId, fields } }: Extract<NetEvent, { type: 'request' }>,
  now: Now,
): void {
  const request = { core, session, connection, correlationId, now, fields } as Request<HandledName>;
  if (!(name in handlers)) {
    refuse(request, 'BAD_REQUEST', `${name} is a message of the broker, not of a client`);
  } else if (core.diskScarce && appending.has(name)) {
    refuse(request, 'DISK_FULL', 'the disk is full: only what ends leases is taken');
  } else {
    const handler = handlers[name as HandledName] as (request: Request<HandledName>) => void;
    handler(request);
  }
}

function goodbye({ core, session, connection, correlationId, now }: Request<'Goodbye'>): void {
  endSession(core, session, now);
  dropUploadsOf(core, core.blobs, session.id);
  core.sendAndClose(connection, correlationId, 'Ok', {});
}

function subscribe(request: Request<'Subscribe'>): void {
  const { queues, credit } = request.fields;
  const bad = queues.find((queue) => !isQueueName(queue));
  if (bad !== undefined) {
    refuse(request, 'BAD_REQUEST', `not a queue name: ${JSON.stringify(bad.slice(0, 60))}`);
    return;
  }
  if (credit > creditMax) {
    refuse(request, 'BAD_REQUEST', `credit is ${credit}; at most ${creditMax} is allowed`);
    return;
  }
  request.core.subscriptions.set(request.session, queues, credit);
  respond(request, 'Ok', {});
}

function watch(request: Request<'Watch'>): void {
  request.core.notifications.watch(request.connection, request.fields.queues);
  respond(request, 'Ok', {});
}

function shutdown(request: Request<'Shutdown'>): void {
  const { core, session } = request;
  const { client, transport } = session;
  const text = `client ${JSON.stringify(client)} over ${transport} asks the broker to stop`;
  core.effects.add({ type: 'notice', kind: 'requests to stop', text });
  respond(request, 'Ok', {});
  core.effects.add({ type: 'shutdown' });
}
