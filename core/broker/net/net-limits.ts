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
  /** Above these limits, of each transport: connections that are open only to be told so. */
  refusalsMax: 32,
  /**
   * Requests of one connection that wait for an answer, before no more are read from it: answers
   * wait for the disk, and requests that wait for them take memory of the core. A `Wait` counts until it stands there.
   */
  unansweredMax: 1024,
  /**
   * Bytes that are received and not answered, of all peers: parts of frames, whole frames, and
   * requests that wait for their turn or the disk. One peer may hold a quarter of what is free, so
   * that many greedy ones leave room for the next.
   */
  intakeBytesMax: 64 * mebibyte,
  /** What each peer may hold of it however little is free. */
  intakeBytesMin: 64 * 1024,
  /**
   * Unsent bytes of one connection above which no more is read from it. More than a consumer is
   * sent at once: one on a slow line must be able to renew its leases meanwhile.
   */
  unsentBytesMax: 8 * mebibyte,
  /**
   * A batch for the core leaves at this size even inside a tick, so that work begins early, and the core
   * takes it in one step.
   */
  batchBytesMax: mebibyte / 8,
  /** What is handed to the core before it has taken what came before: some milliseconds of its time. */
  sendWindowBytes: mebibyte / 2,
  /** Time for preamble and Hello to arrive. */
  handshakeMs: limits.handshakeMs,
  /** Time that a frame which has begun may take besides that for its bytes. */
  frameMs: limits.frameMs,
  /**
   * A peer that sends a frame more slowly may be cut off: half of what is promised, since lines are
   * uneven.
   */
  frameBytesPerSecond: limits.lineBytesPerSecond / 2,
  /**
   * Time in which a peer must take some of what is waiting for it. The system tells of room in a
   * full socket only when much of it is free, which a slow peer takes this long to read: some 160 KiB
   * of a Unix socket, over 1 MiB of a TCP one.
   */
  unixStallMs: 40_000,
  tcpStallMs: 240_000,
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

const { connectionsMax, handshakesMax, intakeBytesMax, intakeBytesMin }: NetLimits =
  netLimitDefaults;
assertRelation(handshakesMax < connectionsMax, 'strangers must leave room for clients');
assertRelation(
  handshakesMax * (limits.frameBytesMaxBeforeHello + frameHeaderBytes) <= strangerBytesMax,
  'frames of strangers must stay below their cap',
);
assertRelation(
  intakeBytesMax >= connectionsMax * intakeBytesMin,
  'what each peer may always hold must fit what all may hold',
);
assertRelation(intakeBytesMax / 8 > limits.frameBytesMax, 'a peer must be able to hold a frame');
