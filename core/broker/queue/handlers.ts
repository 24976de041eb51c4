/**
 * The table of requests: each handler takes the fields, calls the part that decides, and answers.
 * It is exhaustive by type: a new message without a row here does not compile.
 */

import {
  type AnswerOf,
  type ErrorCode,
  errorCodes,
  idTextLength,
  isIdPrefix,
  isQueueName,
  limits,
  type Message,
  type RequestName,
} from '../../protocol/index.ts';
import type { ConnectionId, NetEvent, Now } from '../events.ts';
import { type Core, creditMax, type Session } from './core.ts';
import { inspect, list, queueInfos, wait } from './inspect.ts';
import { cancel, purge, retry, setPaused } from './operate.ts';
import { endSession } from './sessions.ts';
import { extend, resume, settle } from './settle.ts';

/** A request on its way through a handler. */
interface Context {
  readonly core: Core;
  readonly session: Session;
  readonly connection: ConnectionId;
  readonly correlationId: number;
  readonly now: Now;
}

/** Hello opens a session and Enqueue has its own event: neither comes here. */
type HandledName = Exclude<RequestName, 'Hello' | 'Enqueue'>;
type Handler<N extends HandledName> = (context: Context, fields: Message<N>) => void;

const handlers: { readonly [N in HandledName]: Handler<N> } = {
  Ping: (context) => answer<'Ping'>(context, 'Ok', {}),
  Goodbye,
  Subscribe,
  Settle: (context, { items }) =>
    answer<'Settle'>(context, 'SettleOk', {
      items: settle(context.core, context.session, items, context.now),
    }),
  Extend: (context, { tokens }) =>
    answer<'Extend'>(context, 'ExtendOk', {
      items: extend(context.core, context.session, tokens, context.now),
    }),
  Resume: (context, { tokens }) =>
    answer<'Resume'>(context, 'ResumeOk', {
      items: resume(context.core, context.session, tokens, context.now),
    }),
  Inspect,
  List: (context, fields) => answer<'List'>(context, 'ListOk', list(context.core, fields)),
  Stats: ({ core, connection, correlationId, now }, { queues }) =>
    core.emit({ type: 'stats', connection, correlationId, queues: queueInfos(core, queues, now) }),
  Wait,
  Cancel: (context, { ids }) =>
    answer<'Cancel'>(context, 'CancelOk', { items: cancel(context.core, ids, context.now) }),
  Retry: (context, { ids }) =>
    answer<'Retry'>(context, 'RetryOk', { items: retry(context.core, ids, context.now) }),
  Shutdown(context) {
    answer<'Shutdown'>(context, 'Ok', {});
    context.core.emit({ type: 'shutdown' });
  },
  Pause: (context, { queue }) => pauseOrUnpause(context, queue, true),
  Unpause: (context, { queue }) => pauseOrUnpause(context, queue, false),
  Purge(context, { queue }) {
    const touched = purge(context.core, queue, context.now);
    answer<'Purge'>(context, 'BulkOk', { bulk: 0, touched, done: true });
  },
  Watch(context, { queues }) {
    context.core.watchers.set(context.connection, new Set(queues));
    answer<'Watch'>(context, 'Ok', {});
  },
  Signal: unsupported('Signal'),
  Reserve: unsupported('Reserve'),
  Commit: unsupported('Commit'),
  Release: unsupported('Release'),
  BlobPut: unsupported('BlobPut'),
  BlobGet: unsupported('BlobGet'),
  JournalPut: unsupported('JournalPut'),
  JournalGet: unsupported('JournalGet'),
  Bulk: unsupported('Bulk'),
  ConfigureQueue: unsupported('ConfigureQueue'),
  Result: unsupported('Result'),
  RetryDead: unsupported('RetryDead'),
  Scopes: unsupported('Scopes'),
  Search: unsupported('Search'),
  SetScope: unsupported('SetScope'),
};

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
  const handler = handlers[name as HandledName] as (context: Context, fields: unknown) => void;
  handler(context, fields);
}

function Goodbye({ core, session, connection, correlationId, now }: Context): void {
  endSession(core, session, now);
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
  context.session.queues = [...new Set(queues)];
  context.session.credit = credit;
  answer<'Subscribe'>(context, 'Ok', {});
}

function Inspect(context: Context, fields: Message<'Inspect'>): void {
  const { idPrefix } = fields;
  if (idPrefix.length === 0 || idPrefix.length > idTextLength || !isIdPrefix(idPrefix)) {
    refuse(context, 'BAD_REQUEST', 'idPrefix must be 1 to 26 characters of base32');
    return;
  }
  const jobs = inspect(context.core, fields);
  const bytes = jobs.reduce((sum, { job }) => sum + (job?.length ?? 0), 0);
  if (bytes > limits.frameBytesMax / 2 && jobs.length > 1) {
    refuse(context, 'BAD_REQUEST', 'the jobs are too large for one answer; give a longer idPrefix');
    return;
  }
  answer<'Inspect'>(context, 'InspectOk', { jobs });
}

function Wait(context: Context, { id }: Message<'Wait'>): void {
  const job = wait(context.core, context, id);
  if (job === null) refuse(context, 'NOT_FOUND', 'no such job');
  else if (job !== 'later') answer<'Wait'>(context, 'WaitOk', { job });
}

function pauseOrUnpause(context: Context, queue: string, paused: boolean): void {
  if (!isQueueName(queue)) {
    refuse(context, 'BAD_REQUEST', `not a queue name: ${JSON.stringify(queue.slice(0, 60))}`);
    return;
  }
  setPaused(context.core, queue, paused, context.now);
  answer<'Pause'>(context, 'Ok', {});
}

function unsupported(name: HandledName): (context: Context) => void {
  return (context) => refuse(context, 'UNSUPPORTED', `this broker does not serve ${name}`);
}

function answer<N extends HandledName>(
  { core, connection, correlationId }: Context,
  name: AnswerOf<N>,
  fields: Message<AnswerOf<N>>,
): void {
  core.send(connection, correlationId, name, fields);
}

function refuse(
  { core, connection, correlationId }: Context,
  code: ErrorCode,
  message: string,
): void {
  core.send(connection, correlationId, 'Error', { code: errorCodes[code].number, message });
}
