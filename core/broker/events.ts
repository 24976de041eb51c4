/**
 * Messages between the parts of the broker: events from I/O threads, and messages to connections. Plain
 * data, so that it can cross threads and the simulator can make it.
 */

import {
  type AnyMessage,
  type CodeOf,
  decodeJobCore,
  type JobCore,
  type Message,
  type MessageName,
} from '../protocol/index.ts';

/** A connection, numbered by the broker; never reused while the broker lives. */
export type ConnectionId = number;

export type Transport = 'unix' | 'tcp';

/** The fields of a job that the state machine keeps: without body and descriptive texts. */
export type JobFacts = Omit<JobCore, 'delayMs' | 'runAtMs'> & {
  /** Bytes of the job as encoded. */
  readonly jobBytes: number;
};

/** The fields of a new job, with those that decide when it is due. */
export type NewJobFacts = JobFacts & JobCore;

/** One job of an Enqueue batch after checksum and fields were checked (in the I/O thread). */
export type CheckedJob =
  | { readonly ok: true; readonly bytes: Uint8Array; readonly job: NewJobFacts }
  | {
      readonly ok: false;
      readonly id: string | null;
      readonly code: CodeOf<'item'>;
      readonly message: string;
    };

/** The facts of an encoded job that was checked before. */
export function factsOfJob(encoded: Uint8Array): NewJobFacts {
  return withBytes(decodeJobCore(encoded), encoded.length);
}

/** The facts of a job, which are its core and its length. */
export function withBytes(core: JobCore, jobBytes: number): NewJobFacts {
  const { id, queue, digest, priority, attemptsMax, delayMs, runAtMs } = core;
  const { expiresAtMs, parkKey, batch, bodyRef, bodyBytes } = core;
  const when = { delayMs, runAtMs, expiresAtMs };
  return {
    id,
    queue,
    digest,
    priority,
    attemptsMax,
    ...when,
    parkKey,
    batch,
    bodyRef,
    bodyBytes,
    jobBytes,
  };
}

/** All requests but Enqueue as decoded; those of the handshake never get here, Hello becomes `opened`. */
type PlainRequest = Exclude<AnyMessage, { name: 'Enqueue' | 'Hello' | 'Prove' }>;

/** A part of an Enqueue whose jobs are accepted each by itself. */
export interface EnqueuePart {
  /** The answers so far: all parts of the request share them. */
  readonly answers: Message<'EnqueueOk'>['items'][number][];
  /** The request is answered with this part. */
  readonly isLast: boolean;
}

/** Events of an I/O thread. `opened` is the first of a connection, `closed` follows its last request. */
export type NetEvent =
  | {
      readonly type: 'opened';
      readonly connection: ConnectionId;
      readonly transport: Transport;
      /** Of the Hello, to be echoed in HelloOk. */
      readonly correlationId: number;
      readonly hello: Message<'Hello'>;
    }
  | {
      readonly type: 'request';
      readonly connection: ConnectionId;
      readonly request: PlainRequest;
      /** The body of its frame, which is read again behind a thread; absent there. */
      readonly body?: Uint8Array;
    }
  | {
      readonly type: 'enqueue';
      readonly connection: ConnectionId;
      readonly correlationId: number;
      readonly atomic: boolean;
      readonly jobs: readonly CheckedJob[];
      /** Of a request that is handled in parts; absent when this is all of it. */
      readonly part?: EnqueuePart;
    }
  | { readonly type: 'closed'; readonly connection: ConnectionId }
  | Left;

/** Bytes were sent: written to the socket. Reported from time to time. */
export interface Left {
  readonly type: 'left';
  readonly connection: ConnectionId;
  /** Bytes released from the send quota. */
  readonly bytes: number;
  /** Number of Deliver frames among them. */
  readonly deliveries: number;
  /** How long the peer recently let a slice wait. */
  readonly slowestMs: number;
}

/**
 * A message for one connection. An outgoing `Wait` is not sent: it notifies the I/O thread that the wait
 * with this correlation id is registered and no longer in flight.
 */
export interface Outgoing<N extends MessageName = MessageName> {
  readonly connection: ConnectionId;
  readonly correlationId: number;
  readonly name: N;
  readonly fields: Message<N>;
  /** Close the connection after this message. */
  readonly thenClose?: boolean;
  /** Bytes charged to the send quota until it is sent. */
  bytes?: number;
}

/** The clocks of the state machine; see `BrokerClock`. */
export interface Now {
  /** Time in which the broker ran, for leases and all other deadlines. */
  readonly monotonicMs: number;
  /** The broker's own wall clock, which never jumps, for records, delays and ages. */
  readonly wallMs: number;
  /** The system's wall clock, only for absolute times given by clients. */
  readonly systemMs: number;
}

/** The clock for job expiry: a system clock set ahead expires nothing early. */
export function expiryClockMs({ wallMs, systemMs }: Now): number {
  return Math.min(wallMs, systemMs);
}
