/** The effects that the core emits, and the events that it handles: plain data and pure functions. */

import {
  errorCodes,
  type LeaseToken,
  type Message,
  type MessageName,
  type QueueInfo,
  type Value,
} from '../../../protocol/index.ts';
import type { ConnectionId, NetEvent, Outgoing } from '../../events.ts';
import type { EnqueuedJob } from '../records/job-record-reader.ts';
import type { LogRecord, RecordOf } from '../records/records.ts';

/** An effect, to be carried out in order. Everything sent waits until the records before it are durable. */
export type Effect =
  | { readonly type: 'append'; readonly record: Uint8Array }
  | { readonly type: 'send'; readonly outgoing: Outgoing }
  | {
      readonly type: 'fetch';
      readonly fetch: Fetch;
      /** In whose send queue the outcome has its slot; `noConnection` when it is for the core itself. */
      readonly connection: ConnectionId;
      /** True when it answers a request; false for deliveries and notifications. */
      readonly isAnswer: boolean;
    }
  | {
      readonly type: 'problems';
      readonly connection: ConnectionId;
      readonly correlationId: number;
    }
  | {
      readonly type: 'search';
      readonly connection: ConnectionId;
      readonly correlationId: number;
      readonly filter: Message<'Search'>;
    }
  | { readonly type: 'shutdown' }
  /** A message for the operator about what a client did to others; `kind` in the plural. */
  | { readonly type: 'notice'; readonly kind: string; readonly text: string };

/** Used where an effect belongs to no connection. */
export const noConnection: ConnectionId = 0;

/** The part of StatsOk that the core knows. */
export interface StatsFields {
  readonly connection: ConnectionId;
  readonly correlationId: number;
  readonly queues: QueueInfo[];
  /** Bytes of the log that are still needed. */
  readonly logLiveBytes: number;
}

/** A read of records of the log. Its outcome keeps its slot in the send queue. */
export interface Fetch {
  readonly offsets: readonly number[];
  /** The cost of `use`, counted in records, when it is not one for each offset. */
  readonly rows?: number;
  /** Gets the records in the order of `offsets`, null for one that is missing or damaged. */
  readonly use: (records: readonly (Uint8Array | null)[]) => readonly Fetched[];
  /**
   * Instead of `use`, when a read of this fetch or of one that followed from it failed and may work
   * later: an error is not damage. Without it such a record is null, too.
   */
  readonly unread?: (error: Error) => readonly Fetched[];
}

/** The outcome of a read: a message, a further read, or an event for the core. */
export type Fetched =
  | { readonly type: 'send'; readonly outgoing: Outgoing }
  | { readonly type: 'stats'; readonly stats: StatsFields }
  | { readonly type: 'fetch'; readonly fetch: Fetch }
  | { readonly type: 'event'; readonly event: CoreEvent };

/** An event that the core handles. */
export type CoreEvent =
  | NetEvent
  /** The log has no room for anything new, and why, or has room again. */
  | { readonly type: 'disk'; readonly full: boolean; readonly reason?: string }
  /** While it is full: there is no room for values any more, only for short settles. */
  | { readonly type: 'scarce'; readonly isScarce: boolean }
  /** The log holds that the session had the lease under which it writes this journal entry. */
  | {
      readonly type: 'heldEntry';
      readonly connection: ConnectionId;
      readonly correlationId: number;
      readonly session: string;
      readonly fields: Message<'JournalPut'>;
    }
  /** Jobs that were just delivered, and whose bytes are damaged. */
  | { readonly type: 'unreadable'; readonly tokens: readonly LeaseToken[] }
  /** Jobs that were just delivered, and whose bytes could not be read now, and why. */
  | { readonly type: 'unread'; readonly tokens: readonly LeaseToken[]; readonly reason: string }
  /** After that: jobs were read well. */
  | { readonly type: 'readAgain' }
  /** A piece of the notifications of a connection was made, and is on its way. */
  | { readonly type: 'notificationMade'; readonly connection: ConnectionId }
  /** A Deliver frame was not made in the end: its jobs could not be read, or were cancelled. */
  | { readonly type: 'frameNotMade'; readonly connection: ConnectionId; readonly frame: number }
  /** Compaction: rewrite what is live up to this offset, in small portions. */
  | { readonly type: 'compact'; readonly upTo: number; readonly bytesMax: number }
  /** Compaction: the records of a job were read. */
  | {
      readonly type: 'jobRead';
      readonly seq: number;
      readonly base: number;
      readonly last: number;
      /** Offset of the record that replaced its note; 0 for none. */
      readonly noted: number;
      /** Offset of the record that has its prompts, where that is not the last; 0 for none. */
      readonly prompted: number;
      readonly job: EnqueuedJob;
      readonly end: RecordOf<'leaseEnded'> | RecordOf<'snapshot'> | null;
      /** That note, and those prompts. */
      readonly note: string | null;
      readonly prompts: Value | null;
      readonly history: RecordOf<'snapshot'>['history'];
    }
  /** Compaction: a record that holds a chunk of a blob or an entry of a journal was read. */
  | { readonly type: 'recordRead'; readonly offset: number; readonly record: Uint8Array }
  /** Compaction: rewrite a portion of the small state; `isFirst` begins anew. */
  | { readonly type: 'rewriteSmallState'; readonly isFirst: boolean };

/** A message on its way out. */
export function outgoing<N extends MessageName>(
  connection: ConnectionId,
  correlationId: number,
  name: N,
  fields: Message<N>,
): Outgoing {
  const message: Outgoing<N> = { connection, correlationId, name, fields };
  return message;
}

/** Logs a decision, applies it at once and returns the record's offset. */
export interface Committing {
  commit(record: LogRecord): number;
}

/** An answer that is made from records of the log. */
export type Reply = {
  [N in MessageName]: { readonly name: N; readonly fields: Message<N> };
}[MessageName];

/** The answer to a request whose records cannot be read now; it changed nothing. */
export function answerUnreadable(
  connection: ConnectionId,
  correlationId: number,
): NonNullable<Fetch['unread']> {
  return ({ message }) => {
    const fields = {
      code: errorCodes.LOG_UNREAD.number,
      message: `${message}; nothing was changed, try again`,
    };
    return [{ type: 'send', outgoing: outgoing(connection, correlationId, 'Error', fields) }];
  };
}

/** The answer to a request whose records are damaged. */
export function unreadable(): Reply {
  const message = 'the log no longer holds this undamaged; run  aiq broker verify';
  return { name: 'Error', fields: { code: errorCodes.INTERNAL.number, message } };
}

/** Requests, and connections that open and close. */
const clientEvents = ['opened', 'closed', 'enqueue', 'request'] as const;
export type ClientEvent = Extract<CoreEvent, { type: (typeof clientEvents)[number] }>;

export function isClientEvent(event: CoreEvent): event is ClientEvent {
  return (clientEvents as readonly string[]).includes(event.type);
}
