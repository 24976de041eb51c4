/**
 * The table of requests: each handler takes the fields, calls the part that decides, and answers.
 * It is exhaustive by type: a new message without a row here does not compile.
 */

import { isQueueName, type Message, type RequestName } from '../../../protocol/index.ts';
import type { NetEvent, Now } from '../../events.ts';
import type { Core } from '../context/core.ts';
import { answer, refuse } from '../context/request.ts';
import { creditMax, type Session } from '../context/session.ts';
import { dropUploadsOf } from '../lifecycle/blob-expiry.ts';
import { endSession } from '../lifecycle/sessions.ts';
import { getBlob, putBlob } from './blob-requests.ts';
import { bulkProgress, purge, retryDead, signal } from './bulk-requests.ts';
import { type CoreRequestContext, inspect, list, result, stats, wait } from './inspect.ts';
import { getEntry, putEntry } from './journal-requests.ts';
import { cancel, configureQueue, retry, setPaused } from './operate.ts';
import { journalsOf } from './past-leases.ts';
import { extend, resume, settle } from './settle.ts';

/** A request on its way through a handler. */
interface Context extends CoreRequestContext {
  readonly session: Session;
}

/** The handshake opens a session and Enqueue has its own event: neither comes here. */
type HandledName = Exclude<RequestName, 'Prove' | 'Hello' | 'Enqueue'>;
type Handler<N extends HandledName> = (context: Context, fields: Message<N>) => void;

const handlers: { readonly [N in HandledName]: Handler<N> } = {
  Ping: (context) => answer(context, 'Ok', {}),
  Goodbye,
  Subscribe,
  Settle: (context, { items }) =>
    answer(context, 'SettleOk', {
      items: settle(context.core, context.session, items, context.now),
    }),
  Extend: (context, { tokens }) =>
    answer(context, 'ExtendOk', {
      items: extend(context.core, context.session, tokens, context.now),
    }),
  Resume: (context, { tokens }) =>
    answer(context, 'ResumeOk', {
      items: resume(context.core, context.session, tokens, context.now),
    }),
  Inspect: inspect,
  List: list,
  Result: result,
  Troubles: ({ core, connection, correlationId }) =>
    core.effects.add({ type: 'troubles', connection, correlationId }),
  Stats: stats,
  Search: ({ core, connection, correlationId }, filter) =>
    core.effects.add({ type: 'search', connection, correlationId, filter }),
  Wait: wait,
  Cancel: (context, { ids }) =>
    answer(context, 'CancelOk', { items: cancel(context.core, ids, context.now) }),
  Retry: (context, { ids }) =>
    answer(context, 'RetryOk', { items: retry(context.core, ids, context.now) }),
  Shutdown(context) {
    const { client, transport } = context.session;
    const text = `client ${JSON.stringify(client)} over ${transport} asks the broker to stop`;
    context.core.effects.add({ type: 'notice', kind: 'requests to stop', text });
    answer(context, 'Ok', {});
    context.core.effects.add({ type: 'shutdown' });
  },
  Pause: (context, { queue }) => setPaused(context, queue, true),
  Unpause: (context, { queue }) => setPaused(context, queue, false),
  ConfigureQueue: configureQueue,
  Purge: purge,
  RetryDead: retryDead,
  Signal: signal,
  Bulk: bulkProgress,
  Watch(context, { queues }) {
    context.core.notifications.watch(context.connection, queues);
    answer(context, 'Ok', {});
  },
  BlobPut(context, fields) {
    const { core } = context;
    if (core.diskFull) refuse(context, 'DISK_FULL', `${core.fullReason}: no blob is taken`);
    else putBlob(context, core.blobs, fields);
  },
  BlobGet: (context, fields) => getBlob(context, context.core.state.blobs, fields),
  JournalPut: (context, fields) => putEntry(context, journalsOf(context.core), fields),
  JournalGet: (context, fields) => getEntry(context, journalsOf(context.core), fields),
};

/** Requests that add to the log without ending anything. */
const appending: ReadonlySet<string> = new Set<HandledName>([
  'JournalPut',
  'ConfigureQueue',
  'Signal',
  'RetryDead',
]);

/** Runs the handler of a request. Messages that only a broker sends were refused by the I/O thread. */
export function handleRequest(
  core: Core,
  session: Session,
  event: Extract<NetEvent, { type: 'request' }>,
  now: Now,
): void {
  const { name, correlationId, fields } = event.request;
  const context: Context = { core, session, connection: event.connection, correlationId, now };
  if (!(name in handlers)) {
    refuse(context, 'BAD_REQUEST', `${name} is a message of the broker, not of a client`);
    return;
  }
  if (core.diskScarce && appending.has(name)) {
    refuse(context, 'DISK_FULL', 'the disk is full: only what ends leases is taken');
    return;
  }
  const handler = handlers[name as HandledName] as (context: Context, fields: unknown) => void;
  handler(context, fields);
}

function Goodbye({ core, session, connection, correlationId, now }: Context): void {
  endSession(core, session, now);
  dropUploadsOf(core, core.blobs, session.id);
  core.sendAndClose(connection, correlationId, 'Ok', {});
}

function Subscribe(context: Context, { queues, credit }: Message<'Subscribe'>): void {
  const bad = queues.find((queue) => !isQueueName(queue));
  if (bad !== undefined) {
    refuse(context, 'BAD_REQUEST', `not a queue name: ${JSON.stringify(bad.slice(0, 60))}`);
    return;
  }
  if (credit > creditMax) {
    refuse(context, 'BAD_REQUEST', `credit is ${credit}; at most ${creditMax} is allowed`);
    return;
  }
  context.core.subscriptions.set(context.session, queues, credit);
  answer(context, 'Ok', {});
}
