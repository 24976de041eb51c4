/**
 * Every limit of the network side that is the broker's own choice, with its default and reason.
 * Limits that a client must know are in `core/protocol`. Relations are asserted at load.
 */

import { frameHeaderBytes, limits } from '../../protocol/index.ts';

const mebibyte = 1024 * 1024;

export const netLimitDefaults = {
  /** Connections of the pool at a time. A consumer needs one; far below 4,096 open files. */
  connectionsMax: 1024,
  /** Of those, how many may be without an accepted Hello: strangers cannot take every place. */
  handshakesMax: 256,
  /**
   * Requests of one connection that wait for an answer, before no more are read from it: answers
   * wait for the disk, and requests that wait for them take memory of the core. `Wait` is free.
   */
  unansweredMax: 1024,
  /** Unsent bytes of one connection above which its peer gets only `outboxStallMs` to read on. */
  outboxBytesMax: 16 * mebibyte,
  /** Received bytes that the core has not taken yet, before the thread stops reading. */
  inboxBytesMax: 16 * mebibyte,
  /** A batch for the core leaves at this size even inside a tick, so that work begins early. */
  batchBytesMax: mebibyte,
  /** Time for preamble and Hello to arrive. */
  handshakeMs: limits.handshakeMs,
  /** Time for a frame that has begun to arrive whole. */
  frameMs: limits.frameMs,
  /** Time in which a peer must take some of what is waiting for it. */
  writeStallMs: 10_000,
  /**
   * The same for a peer that has more waiting than `outboxBytesMax`. Not none: the core may rightly
   * send a consumer with many free slots more than that at once.
   */
  outboxStallMs: 2_000,
  /** Time that a peer has to read the last message and to close, after the half-close. */
  lingerMs: 1_000,
  /** Time that `stop` gives all peers to take what was sent to them. */
  stopMs: 5_000,
  /** TCP keepalive: notices a peer whose machine is gone. */
  keepAliveMs: 15_000,
  /** A thread that died starts again, unless more died within `restartWindowMs`. */
  restartsMax: 5,
  restartWindowMs: 60_000,
  /** Before the first of these restarts; doubled for each next one. */
  restartDelayMs: 20,
} as const;

/** The values that one pool runs with. */
export type NetLimits = { readonly [Name in keyof typeof netLimitDefaults]: number };

/** Bytes that all strangers together can make the broker hold. */
const strangerBytesMax = 8 * mebibyte;

function assertRelation(holds: boolean, relation: string): void {
  if (!holds) throw new Error(`network limits contradict each other: ${relation}`);
}

const { connectionsMax, handshakesMax, outboxBytesMax, inboxBytesMax }: NetLimits =
  netLimitDefaults;
assertRelation(handshakesMax < connectionsMax, 'strangers must leave room for clients');
assertRelation(
  handshakesMax * (limits.frameBytesMaxBeforeHello + frameHeaderBytes) <= strangerBytesMax,
  'frames of strangers must stay below their cap',
);
assertRelation(outboxBytesMax >= 2 * limits.frameBytesMax, 'an outbox must hold whole frames');
assertRelation(inboxBytesMax >= 2 * limits.frameBytesMax, 'an inbox must hold whole frames');
