/**
 * What passes between the parts of the broker: I/O threads tell the core what arrived, the core
 * answers with effects. Plain data, so that it crosses threads and a simulator can make it.
 */

import type { AnyMessage, CodeOf, Job, Message, MessageName } from '../protocol/index.ts';

/** A connection, numbered by the broker; never reused while the broker lives. */
export type ConnectionId = number;

export type Transport = 'unix' | 'tcp';

/** What the core keeps of a job: without its body and the texts that only people read. */
export type JobFacts = Pick<
  Job,
  'id' | 'queue' | 'digest' | 'priority' | 'attemptsMax' | 'expiresAtMs' | 'parkKey' | 'bodyRef'
> & {
  /** Bytes of the input, inline or in a blob. */
  readonly bodyBytes: number;
  /** Bytes of the job as encoded. */
  readonly jobBytes: number;
};

/** The facts of a job that may come in, with what decides when it is due. */
export type NewJobFacts = JobFacts & Pick<Job, 'delayMs' | 'runAtMs'>;

/** One job of an Enqueue batch after checksum and fields were checked (in the I/O thread). */
export type CheckedJob =
  | { readonly ok: true; readonly bytes: Uint8Array; readonly job: NewJobFacts }
  | {
      readonly ok: false;
      readonly id: string | null;
      readonly code: CodeOf<'item'>;
      readonly message: string;
    };

/** The facts of a decoded job. */
export function factsOfJob(job: Job, jobBytes: number): NewJobFacts {
  const { id, queue, digest, priority, attemptsMax, expiresAtMs, parkKey, bodyRef } = job;
  const { delayMs, runAtMs } = job;
  const bodyBytes = bodyRef?.totalBytes ?? job.body.length;
  const facts = { id, queue, digest, priority, attemptsMax, expiresAtMs, parkKey, bodyRef };
  return { ...facts, delayMs, runAtMs, bodyBytes, jobBytes };
}

/** All requests but Enqueue as decoded; those of the handshake never get here, Hello becomes `opened`. */
type PlainRequest = Exclude<AnyMessage, { name: 'Enqueue' | 'Hello' | 'Prove' }>;

/** What an I/O thread reports. `opened` comes first on a connection, `closed` last of what was asked. */
export type NetEvent =
  | {
      readonly type: 'opened';
      readonly connection: ConnectionId;
      readonly transport: Transport;
      /** Of the Hello, to be echoed in HelloOk. */
      readonly correlationId: number;
      readonly hello: Message<'Hello'>;
    }
  | { readonly type: 'request'; readonly connection: ConnectionId; readonly request: PlainRequest }
  | {
      readonly type: 'enqueue';
      readonly connection: ConnectionId;
      readonly correlationId: number;
      readonly atomic: boolean;
      readonly jobs: readonly CheckedJob[];
    }
  | { readonly type: 'closed'; readonly connection: ConnectionId }
  | Left;

/** What was sent has left: the peer, or the system for it, took it. Reported now and then. */
export interface Left {
  readonly type: 'left';
  readonly connection: ConnectionId;
  /** What the core counts for it. */
  readonly bytes: number;
  /** How many Deliver frames are among it. */
  readonly deliveries: number;
  /** How long the peer lets a slice of what waits for it wait, lately. */
  readonly slowestMs: number;
}

/**
 * A message for one connection. A `Wait` on its way out never leaves the broker: it tells the I/O thread
 * that the wait of this correlation id stands, and is not a request that the core still has to take.
 */
export interface Outgoing<N extends MessageName = MessageName> {
  readonly connection: ConnectionId;
  readonly correlationId: number;
  readonly name: N;
  readonly fields: Message<N>;
  /** Close the connection after this message left. */
  readonly thenClose?: boolean;
  /** What the core counts for it until it has left; set by whoever counts it. */
  bytes?: number;
}

/** Time as the core sees it; see `BrokerClock`. */
export interface Now {
  /** Time in which the broker ran: leases and all other deadlines run on it. */
  readonly monotonicMs: number;
  /** The broker's own wall clock, which never jumps: records, delays and ages are told by it. */
  readonly wallMs: number;
  /** The system's wall clock: only for times of day that clients name. */
  readonly systemMs: number;
}

/** What a job's expiry is held against: a clock that was set ahead ends nothing early. */
export function expiryClockMs({ wallMs, systemMs }: Now): number {
  return Math.min(wallMs, systemMs);
}
